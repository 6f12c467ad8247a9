"""Addresses of other stores, which may hold a password, as they may be shown and stored."""

from __future__ import annotations


def hide_password(address: str) -> str:
    """Return an address without its password, and without the query, which may hold one too.

    Everything up to the last `@` is taken for who asks: a password may hold any other sign.

    >>> hide_password("postgresql://ann:s3/cr?t@db:5432/mlflow?sslmode=require")
    'postgresql://ann@db:5432/mlflow'
    >>> hide_password("/data/mlflow.db")
    '/data/mlflow.db'
    """
    scheme, mark, rest = address.partition("://")
    if not mark:
        return address
    before, at, place = rest.rpartition("@")
    place = place.partition("?")[0].partition("#")[0]
    return f"{scheme}{mark}{before.partition(':')[0]}{at}{place}"
