"""User ids as pseudonyms: HMAC-SHA-256 under a secret key, the first 32 hex digits of it.

A pseudonym is the same in every process that has the key, so a user's traces stay together. It is
not anonymous: who has the key can tell whether a trace belongs to a user that they know.
"""

from __future__ import annotations

import hmac
import os
import re

from whence.errors import InvalidInputError

USER_KEY_VARIABLE = "WHENCE_USER_KEY"
PSEUDONYM_CHARS = 32
PSEUDONYM = re.compile(rf"[0-9a-f]{{{PSEUDONYM_CHARS}}}")


def pseudonymise_user(user: str, key: str | bytes | None = None) -> str:
    """Return the 32 hex digits that stand for a user, under `key` or else `WHENCE_USER_KEY`.

    Raises `InvalidInputError` where there is no key, or an empty one.

    >>> pseudonymise_user("u-7", key="a secret of the whole company")
    '41743d90b50051e68a2b2abc3d592d40'
    """
    secret = read_user_key(key)
    if secret is None:
        raise InvalidInputError(
            f"There is no key to pseudonymise users with: give `key`, or set {USER_KEY_VARIABLE}."
        )
    return hash_user(user, secret)


def hash_user(user: str, secret: bytes) -> str:
    """Return the pseudonym of a user."""
    return hmac.digest(secret, user.encode("utf-8", "replace"), "sha256").hex()[:PSEUDONYM_CHARS]


def read_user_key(given: str | bytes | None) -> bytes | None:
    """Return the key as bytes, from the argument or the environment; None where neither is set.

    An empty one is refused: a secret that was not mounted must not turn pseudonyms off silently.
    """
    name = "`user_key`"
    if given is None:
        given = os.environ.get(USER_KEY_VARIABLE)
        name = f"The environment variable {USER_KEY_VARIABLE}"
    if given is None:
        return None
    if not isinstance(given, (str, bytes)) or not given.strip():
        raise InvalidInputError(
            f"{name} is empty or no text: users would not be pseudonymised. Set it to a secret of "
            "at least 16 characters, or remove it to record users as they are."
        )
    return given.encode("utf-8", "surrogateescape") if isinstance(given, str) else given
