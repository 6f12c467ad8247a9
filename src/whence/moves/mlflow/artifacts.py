"""Files of traces in MLflow's store of artifacts, where that is a folder of this machine.

A location is a path, a `file:` URI, or `mlflow-artifacts:/…`, which is what a server that hands
artifacts out calls its own folder: `root` says which folder that is.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from whence.errors import InvalidInputError

SPANS_FILE = "traces.json"
PROXIED = "mlflow-artifacts"
MAX_FILE_BYTES = 1 << 30


class Artifacts:
    """Reads files below locations that MLflow wrote."""

    def __init__(self, root: Path | None = None, base: Path | None = None) -> None:
        """`root` is the folder of `mlflow-artifacts:`; relative paths are below `base`."""
        self._root = root
        self._base = base or Path.cwd()

    def read(self, location: str, name: str = SPANS_FILE) -> bytes:
        """Return a file's content. Raises InvalidInputError, which says why it can't be read."""
        path = self.locate(location) / name
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise InvalidInputError(f"its {name} is larger than 1 GiB")
            return path.read_bytes()
        except FileNotFoundError:
            raise InvalidInputError(
                f"its {name} is not in the folder of artifacts: the spans were never stored, or "
                "lie elsewhere"
            ) from None
        except OSError as error:
            raise InvalidInputError(f"its {name} can't be read: {error.strerror}") from None

    def locate(self, location: str) -> Path:
        """Return the folder that a location names."""
        parts = urlsplit(location)
        if parts.scheme == PROXIED:
            if self._root is None:
                raise InvalidInputError(
                    "its spans lie behind the server's mlflow-artifacts: name the folder that it "
                    "serves with --artifacts, or import from the running server"
                )
            return self._root / PurePosixPath(unquote(parts.path).lstrip("/"))
        if parts.scheme in ("", "file"):
            path = Path(unquote(parts.path) if parts.scheme else location)
            return path if path.is_absolute() else self._base / path
        raise InvalidInputError(
            f"its spans lie in {parts.scheme}://: import from the running server, which can read "
            "them"
        )
