"""The shop in Flask."""

from flask import Flask

from shop.asking import ask


def create_app():
    app = Flask(__name__)
    app.route("/")(lambda: str(ask()))
    return app
