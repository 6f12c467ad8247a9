"""How far a move came, in a file, so that an interrupted one goes on where it stopped.

The file is written after what it says is durable on the other side, at most once a second, by an
atomic rename. Beside it lies what was lost so far, a JSON line each; the file says how much of that
belongs to it. A move that ends removes both. What was under way when it stopped is moved again,
which changes nothing. Both are for their owner's eyes only.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from whence.entities.surrogates import encode_clean
from whence.errors import InvalidInputError, WhenceError
from whence.moves.report import Counts, Loss

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from whence.moves.report import Report

WRITE_INTERVAL_S = 1.0
FOLDER = "moves"
KEPT_IDS = 5
OWNER_ONLY, OWNER_ONLY_FOLDER = 0o600, 0o700


class Progress(msgspec.Struct):
    """What the file holds: which move it belongs to, the places reached, the last traces stored.

    `losses_bytes` is the length of the file of losses.
    """

    move: dict[str, Any] = {}
    places: dict[str, Any] = {}
    last_trace_ids: list[str] = []
    counts: Counts = Counts()
    losses_bytes: int = 0


class Checkpoint:
    """Owns the files of one move."""

    def __init__(self, path: Path, move: Mapping[str, Any]) -> None:
        """Read the file where there is one. Raises InvalidInputError for one of another move."""
        self.path = path
        self._losses_path = path.with_name(path.name + ".losses")
        self._losses: IO[bytes] | None = None
        move = msgspec.json.decode(encode_clean(move))  # as it will be read again
        self.progress = Progress(dict(move))
        self._written_at = 0.0
        self._read(path, move)
        self.earlier = self.progress.counts

    @property
    def goes_on(self) -> bool:
        """Whether an earlier run, or this one by now, came somewhere."""
        return bool(self.progress.places)

    def forget(self) -> None:
        """Begin anew."""
        self.earlier = Counts()
        self.remove()

    def remove(self) -> None:
        """Take the files away: the move is done, or begins anew."""
        self.progress = Progress(self.progress.move)
        self.path.unlink(missing_ok=True)
        self._losses_path.unlink(missing_ok=True)

    def place(self, part: str) -> Any:
        """Return where reading of a part goes on, or None."""
        return self.progress.places.get(part)

    @contextmanager
    def keeping_losses(self, report: Report) -> Iterator[None]:
        """Tell the report what was lost before, and keep what will be; save at the end."""
        try:
            self._make_folder()
            descriptor = _open_private(self._losses_path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            with os.fdopen(descriptor, "r+b") as file:
                size_bytes = os.fstat(descriptor).st_size
                file.truncate(min(self.progress.losses_bytes, size_bytes))
                report.go_on(self._read_losses(file))
                report.write_to(file)
                self._losses = file
                yield
        finally:
            self._losses = None
            if self.goes_on:
                self.save()
            else:
                self.remove()

    def reach(self, places: Mapping[str, Any], trace_ids: Sequence[str], counts: Counts) -> None:
        """Note that everything up to these places is durable; `counts` are those of this run.

        `trace_ids` are the last ones that the other side has stored.
        """
        self.progress.places.update(places)
        kept = [*self.progress.last_trace_ids, *trace_ids[-KEPT_IDS:]]
        self.progress.last_trace_ids = kept[-KEPT_IDS:]
        self.progress.counts = self.earlier + counts
        if self._losses is not None:
            self.progress.losses_bytes = self._losses.tell()
        if time.monotonic() - self._written_at >= WRITE_INTERVAL_S:
            self.save()

    def save(self) -> None:
        """Write the file. Raises WhenceError where that can't be."""
        if not self.goes_on:
            return
        try:
            self._make_folder()
            new = self.path.with_name(self.path.name + ".new")
            with os.fdopen(_open_private(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
                file.write(encode_clean(self.progress) + b"\n")
            new.replace(self.path)
        except OSError as error:
            raise self._unwritable(error) from None
        self._written_at = time.monotonic()

    def _make_folder(self) -> None:
        self.path.parent.mkdir(mode=OWNER_ONLY_FOLDER, parents=True, exist_ok=True)

    def _unwritable(self, error: OSError) -> WhenceError:
        reason = error.strerror or type(error).__name__
        return WhenceError(
            f"the checkpoint {self.path} can't be written: {reason}; give another place with "
            "--checkpoint FILE"
        )

    def _read_losses(self, file: IO[bytes]) -> Iterator[Loss]:
        file.seek(0)
        try:
            for line in file:
                yield msgspec.json.decode(line, type=Loss)
        except msgspec.DecodeError as error:
            raise InvalidInputError(
                f"what was lost before, {self._losses_path}, can't be read ({error}): remove it, "
                "or begin anew with --restart"
            ) from None

    def _read(self, path: Path, move: Mapping[str, Any]) -> None:
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Progress)
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
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


def _open_private(path: Path, flags: int) -> int:
    """Open a file that nobody else may read, also one that was there before."""
    opened = os.open(path, flags, OWNER_ONLY)
    if hasattr(os, "fchmod"):
        os.fchmod(opened, OWNER_ONLY)
    return opened
