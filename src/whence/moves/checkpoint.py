"""How far a move came, in a file, so that an interrupted one goes on where it stopped.

The file is written after what it says is durable on the other side, at most once a second, by an
atomic rename. A move that ends removes it. What was under way when it stopped is moved again, which
changes nothing.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from whence.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

WRITE_INTERVAL_S = 1.0
FOLDER = "moves"


class Progress(msgspec.Struct):
    """What the file holds: which move it belongs to, the places reached, the last trace moved."""

    move: dict[str, Any] = {}
    places: dict[str, Any] = {}
    last_trace_id: str = ""
    counts: dict[str, int] = {}


class Checkpoint:
    """Owns the file of one move."""

    def __init__(self, path: Path, move: Mapping[str, Any]) -> None:
        """Read the file where there is one. Raises InvalidInputError for one of another move."""
        self.path = path
        move = msgspec.json.decode(msgspec.json.encode(move))  # as it will be read again
        self.progress = Progress(dict(move))
        self._written_at = 0.0
        self._read(path, move)
        self._before = dict(self.progress.counts)

    @property
    def goes_on(self) -> bool:
        """Whether an earlier run came somewhere."""
        return bool(self.progress.places)

    def forget(self) -> None:
        """Begin anew."""
        self.progress = Progress(self.progress.move)
        self._before = {}
        self.path.unlink(missing_ok=True)

    def place(self, part: str) -> Any:
        """Return where reading of a part goes on, or None."""
        return self.progress.places.get(part)

    def reach(self, part: str, place: Any, trace_id: str, counts: Mapping[str, int]) -> None:
        """Note that everything up to `place` is durable; `counts` are those of this run."""
        self.progress.places[part] = place
        self.progress.last_trace_id = trace_id
        before = self._before
        self.progress.counts = {name: before.get(name, 0) + one for name, one in counts.items()}
        if time.monotonic() - self._written_at >= WRITE_INTERVAL_S:
            self.save()

    def save(self) -> None:
        """Write the file."""
        if not self.goes_on:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(self.progress) + b"\n")
        new.replace(self.path)
        self._written_at = time.monotonic()

    def _read(self, path: Path, move: Mapping[str, Any]) -> None:
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Progress)
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError) as error:
            raise InvalidInputError(
                f"the checkpoint {path} can't be read ({error}): remove it, or give another one"
            ) from None
        if found.move != self.progress.move:
            raise InvalidInputError(
                f"the checkpoint {path} is of another move ({describe(found.move)}; this one is "
                f"{describe(move)}): remove it, or give another one"
            )
        self.progress = found


def default_path(move: Mapping[str, Any]) -> Path:
    """Return where the checkpoint of a move lies unless told otherwise."""
    state = os.environ.get("XDG_STATE_HOME", "").strip()
    home = Path(state) if state else Path.home() / ".local" / "state"
    digest = hashlib.blake2b(msgspec.json.encode(move, order="sorted"), digest_size=8).hexdigest()
    return home / "whence" / FOLDER / f"{digest}.json"


def describe(move: Mapping[str, Any]) -> str:
    """Return a move in words."""
    return ", ".join(f"{key} {value}" for key, value in move.items() if value)
