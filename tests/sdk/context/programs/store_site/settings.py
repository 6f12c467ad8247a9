SECRET_KEY = "only for tests"  # noqa: S105
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "store_site.urls"
