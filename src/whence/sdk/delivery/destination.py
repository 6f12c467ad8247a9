"""Where traces go: a server or a local store, from a tracking URI.

`http://…` and `https://…` (with a path prefix if need be) name a server; a path or a `file:` URI
names a local store, a directory that the SDK writes segments into and a server reads. Relative
paths are fixed against the working directory when they are parsed.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from whence.errors import InvalidInputError

API_KEY_VARIABLES = ("WHENCE_API_KEY", "MLFLOW_TRACKING_TOKEN")
_FOREIGN_STORES = frozenset({"databricks", "databricks-uc", "uc"})  # MLflow's, without a colon
_EXPECTED = "expected http://host:port, https://host, or the path of a local store"


class Server(msgspec.Struct, frozen=True):
    """A Whence server, or anything that takes OTLP/HTTP JSON. `prefix` has no slash at its end."""

    scheme: str
    host: str
    port: int
    prefix: str = ""

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.prefix}"


class LocalStore(msgspec.Struct, frozen=True):
    """A store's directory on this machine; absolute."""

    path: Path


Destination = Server | LocalStore


def parse_destination(uri: str | os.PathLike[str]) -> Destination:
    """Return what a tracking URI names. Raises `InvalidInputError` where it is something else."""
    text = os.fspath(uri).strip()
    if not text:
        raise InvalidInputError(f"the tracking URI is empty; {_EXPECTED}")
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if colon and scheme in ("http", "https"):
        return _parse_server(text)
    if colon and scheme == "file":
        return LocalStore(absolute_path(_path_of_file_uri(text, rest)))
    # One letter before the colon is a drive, anything with a dot or a slash before it a path.
    is_foreign = "://" in text or (colon and len(scheme) > 1 and scheme.isidentifier())
    if is_foreign or scheme in _FOREIGN_STORES:
        raise InvalidInputError(f"Whence can't send traces to {scheme + colon!r}; {_EXPECTED}")
    return LocalStore(absolute_path(text))


def api_key() -> str | None:
    """Return the key that servers are greeted with (as a bearer token), or None."""
    for name in API_KEY_VARIABLES:
        if key := os.environ.get(name, "").strip():
            return key
    return None


def _parse_server(text: str) -> Server:
    try:
        parts = urlsplit(text)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:  # what it says of a wrong port may be a part of a password
        raise InvalidInputError(
            f"the tracking URI is not a URL, its host or its port is wrong; {_EXPECTED}"
        ) from None
    if not parts.hostname:
        raise InvalidInputError(f"the tracking URI names no host; {_EXPECTED}")
    if parts.username is not None or parts.password is not None:
        raise InvalidInputError(
            f"credentials in the tracking URI are not used; set {API_KEY_VARIABLES[0]} instead"
        )
    if parts.query or parts.fragment:
        raise InvalidInputError("the tracking URI of a server has no '?' and no '#'")
    return Server(parts.scheme, parts.hostname, port, parts.path.rstrip("/"))


def _path_of_file_uri(text: str, rest: str) -> str:
    if not rest.startswith("//"):
        return unquote(rest)
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost"):
        raise InvalidInputError(f"a file URI names this machine, not {parts.netloc!r}")
    path = unquote(parts.path)
    return path.lstrip("/") if os.name == "nt" else path


def absolute_path(path: str) -> Path:
    """Return a path as it is now. Raises `InvalidInputError` where that can't be said."""
    if not path:
        raise InvalidInputError(f"the tracking URI names no directory; {_EXPECTED}")
    expanded = os.path.expanduser(path)  # noqa: PTH111 - never raises
    try:
        return Path(os.path.abspath(expanded))  # noqa: PTH100 - follows no link
    except OSError as error:  # the current folder was removed
        raise InvalidInputError(
            f"the tracking URI {path!r} is relative to the current folder, which is gone "
            f"({error.strerror}); {_EXPECTED}"
        ) from None


def state_folder() -> Path:
    """Return where this user's programs keep what is not theirs to show: for Whence, spans."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")  # noqa: PTH111 - never raises
    return Path(state, "whence")


def refuge() -> LocalStore:
    """Return the store of spans that have no other place to go."""
    return LocalStore(state_folder() / "refuge")
