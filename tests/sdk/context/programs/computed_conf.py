"""A gunicorn configuration whose application's name can't be read without running it."""

wsgi_app = f"shop.{'web'}:wsgi"
