wsgi_app = "shop.web:wsgi"
