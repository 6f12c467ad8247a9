"""What `whence context` says, as plain text and as JSON; light to load, for both command lines.

It describes what a program that is started in a folder would record, not the `whence` command that
asks. The facts of a process (its id) are therefore left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from whence import semconv
from whence.cli.terminal_text import escape_json, escape_line
from whence.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from whence.sdk.context.ranking import ContextEntry
    from whence.sdk.context.survey import Survey

ABOUT = """Show the context that a program started here would record, and where each value is from.

Unknown keys come last, with what was looked at and what makes them known.
"""
PLACE_HELP = "Folder that the program is started in, or the program's file. Default: here."
PROGRAM_HELP = "The program's file; its own repository then counts before the folder's."
JSON_HELP = "Print JSON, with how long the fast and the late part took."

VARIABLE = "env "
UNKNOWN = "unknown"
KEY_WIDTH, VALUE_WIDTH = 28, 40


class Line(msgspec.Struct, frozen=True):
    """One key as it is shown, safe for a terminal: `value` is None where it is unknown."""

    key: str
    value: str | None
    notes: tuple[str, ...]


def look(place: str | None, program: str | None) -> Survey:
    """Survey a folder and perhaps a program's file. Raises `InvalidInputError`."""
    from whence.sdk.context.survey import survey

    at = Path(place) if place else Path()
    file = Path(program) if program else None
    if file is None and at.is_file():
        at, file = Path(), at
    if not at.is_dir():
        raise InvalidInputError(f"there is no folder {str(at)!r}; name one that exists")
    if file is not None and not file.exists() and not (at / file).exists():
        raise InvalidInputError(f"there is no program {str(file)!r}; name a file that exists")
    if file is not None and not (at / file).exists():
        file = file.absolute()
    return survey(at.absolute(), file)


def write_json(found: Survey) -> str:
    """Return an object: `context` (every key), `fast_ms` and `late_ms`."""
    document = {
        "context": [*_shown(found.context.entries), *found.context.missing],
        "fast_ms": round(found.fast_ms, 3),
        "late_ms": round(found.late_ms, 3),
    }
    return escape_json(msgspec.json.format(msgspec.json.encode(document))).decode()


def write_text(found: Survey) -> str:
    """Return a line for each key, and below an unknown one how to make it known."""
    return "".join(
        f"{line.key:{KEY_WIDTH}} {line.value or UNKNOWN:{VALUE_WIDTH}} {line.notes[0]}\n"
        + "".join(f"{'':{KEY_WIDTH}} {'':{VALUE_WIDTH}} {note}\n" for note in line.notes[1:])
        for line in list_lines(found)
    )


def write_remarks(found: Survey) -> str:
    """Say how long it took, and whether a diff that is wanted can't be stored."""
    from whence.sdk import settings

    times = (
        f"files and variables took {found.fast_ms:.1f} ms; the work tree, the nearest tag and a "
        f"notebook's server, which a program asks in the background, {found.late_ms:.1f} ms"
    )
    if settings.current.store_diff:
        from whence.sdk.context.work_tree.diff import NO_MASKER
        from whence.sdk.context.work_tree.secrets import find_masker

        return times if find_masker() is not None else f"{times}\n{NO_MASKER}"
    return times


def list_lines(found: Survey) -> Iterator[Line]:
    """Yield every key, the unknown ones last."""
    for entry in _shown(found.context.entries):
        value = escape_line(entry.value) if entry.value is not None else None
        yield Line(escape_line(entry.key), value, tuple(map(escape_line, _explain(entry))))
    for entry in found.context.missing:
        looked_at = f"looked at {_shorten(_name_platforms(entry.asked))}"
        reason = (f"because {entry.reason}",) if entry.reason else ()
        fix = (f"to mend it: {entry.fix}",) if entry.fix else ()
        notes = (looked_at, *reason, *_list_set_aside(entry), *fix)
        yield Line(escape_line(entry.key), None, tuple(map(escape_line, notes)))


def _shown(entries: Iterable[ContextEntry]) -> list[ContextEntry]:
    return [entry for entry in entries if entry.key not in semconv.RESOURCE_ONLY]


def _explain(entry: ContextEntry) -> Iterator[str]:
    yield entry.source
    for one in entry.overridden:
        is_same = one.value == entry.value
        yield f"also {one.source}" if is_same else f"instead of {one.value!r} by {one.source}"
    yield from _list_set_aside(entry)
    if entry.reason:
        yield f"but {entry.reason}"


def _name_platforms(sources: Iterable[str]) -> Iterator[str]:
    """Say which platforms were recognised, beside their source."""
    from whence.sdk.context.platforms import recognise
    from whence.sdk.context.table import PLATFORM

    names = " and ".join(platform.name for platform in recognise()) or "none recognised"
    for source in sources:
        yield f"{source} ({names})" if source == PLATFORM else source


def _list_set_aside(entry: ContextEntry) -> Iterator[str]:
    for one in entry.set_aside:
        yield f"not {one.value!r} by {one.source}, which speaks of another commit"


def _shorten(sources: Iterable[str]) -> str:
    """Join the sources; a run of variables says `env` once."""
    parts: list[str] = []
    was_variable = False
    for source in sources:
        is_variable = source.startswith(VARIABLE)
        parts.append(source.removeprefix(VARIABLE) if is_variable and was_variable else source)
        was_variable = is_variable
    return ", ".join(parts)
