"""What `whence stamp` does: find the code's state as `whence context` does, and write it down.

Needs nothing but the SDK, because images install Whence without its `server` extra. Stamps that
lie around and the labels of the building machine's own image don't count.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from whence import semconv
from whence.cli.stamp_options import write_option
from whence.cli.terminal_text import escape_json, escape_line
from whence.errors import InvalidInputError, WhenceError
from whence.sdk.context import table
from whence.sdk.context.found import Found
from whence.sdk.context.platforms import find_job_marker
from whence.sdk.context.ranking import is_from
from whence.sdk.context.stamp import FIELDS, FILE_NAME, Stamp, format_stamp, write_stamp
from whence.sdk.context.survey import survey
from whence.sdk.context.variables import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from whence.cli.stamp_options import StampOptions
    from whence.sdk.context.ranking import ContextEntry

REPRODUCIBLE = "SOURCE_DATE_EPOCH"

# options that state a field of the stamp themselves; an empty text counts as not given
STATED = ("commit", "branch", "url", "app_version", "environment")
# what is found without being stated; never the environment, which is where an image is built
FOUND = ("commit", "branch", "url", "dirty", "dirty_hash", "app_version", "deployment_id")
# what another program declares, was stamped with, or is labelled with
NOT_ASKED = frozenset({table.DECLARED, table.STAMP, table.LABELS})


def run_stamp(options: StampOptions) -> None:
    """Make the stamp and write it, or print it. Raises `WhenceError` where that can't be done."""
    try:
        folder = Path.cwd()
    except OSError as error:
        raise WhenceError("the current folder is gone; go to the code's folder") from error
    stamp = make_stamp(options, folder)
    if options.print_only:
        sys.stdout.write(escape_json(format_stamp(stamp)).decode())
        return
    path = Path(options.output or FILE_NAME)
    if path.is_dir():
        path /= FILE_NAME
    try:
        write_stamp(path, stamp)
    except OSError as error:
        raise WhenceError(
            f"the stamp can't be written to {path}: {error.strerror or error}. "
            "Name a file in a folder that exists and is writable with --output."
        ) from error
    for line in (f"wrote {path.absolute()}", *_list_fields(stamp)):
        sys.stdout.write(escape_line(line) + "\n")
    if _is_in_work_tree(path) and not (os.environ.get("CI") or find_job_marker()):
        sys.stderr.write(
            f"whence: note: {escape_line(str(path))} lies in a git work tree: programs started "
            "there record the stamp, not .git, until you remove it. Name it in .gitignore.\n"
        )


def make_stamp(options: StampOptions, folder: Path) -> Stamp:
    """Return the stamp of the code in a folder. Raises `InvalidInputError`, `WhenceError`."""
    given = list(_read_given(options))
    metadata = dict(_read_pairs(options.metadata))
    # A name in the folder stands for the program, so that folder and pyproject.toml are its own.
    context = survey(folder, folder / FILE_NAME, given, with_stamp=False).context
    entries = {entry.key: entry for entry in (*context.entries, *context.missing)}
    known: dict[str, str | bool] = {}
    sources: dict[str, str] = {}
    for field in (*FOUND, "environment"):
        entry = entries.get(FIELDS[field])
        if entry is None or entry.value is None or not _counts(field, entry):
            continue
        known[field] = entry.value == "true" if field == "dirty" else entry.value
        sources[field] = entry.source
    if "commit" not in known and not options.allow_empty:
        raise WhenceError(_say_no_commit(folder, entries[semconv.GIT_COMMIT]))
    fields = {**known, "built_at": _read_clock(), "metadata": metadata, "sources": sources}
    return msgspec.convert(fields, Stamp)


def _counts(field: str, entry: ContextEntry) -> bool:
    """Refuse the labels of the image that builds, and an environment that nobody stated."""
    if field == "environment":
        return entry.source.startswith("--")
    return not any(is_from(entry.source, one) for one in NOT_ASKED)


def _read_given(options: StampOptions) -> Iterator[Found]:
    for field in STATED:
        raw = getattr(options, field).strip()
        value = clean(FIELDS[field], raw)
        option = write_option(field)
        if value:
            yield Found(FIELDS[field], value, option)
        elif raw and field == "commit":
            raise InvalidInputError(
                f"{option}: {raw!r} is no commit; pass 7 to 64 hexadecimal digits, "
                "as `git rev-parse HEAD` prints them"
            )
        elif raw:  # what a CI system calls a branch may be a tag or a pull request
            sys.stderr.write(f"whence: note: {option}: {raw!r} is no {field}, so it is left out\n")


def _read_pairs(given: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for text in given:
        key, equals, value = text.partition("=")
        if not (equals and key.strip()):
            raise InvalidInputError(f"--metadata: {text!r} is not KEY=VALUE")
        if len(key) > semconv.MAX_KEY_CHARS or len(value) > semconv.MAX_VALUE_CHARS:
            raise InvalidInputError(
                f"--metadata: {key[:40]!r} is too long: a key has at most {semconv.MAX_KEY_CHARS} "
                f"characters, a value {semconv.MAX_VALUE_CHARS:,}"
            )
        yield key.strip(), value.strip()


def _read_clock() -> str:
    """Return the time of the build, UTC; SOURCE_DATE_EPOCH stands for it where it is set."""
    text = os.environ.get(REPRODUCIBLE, "").strip()
    try:
        moment = (
            datetime.fromtimestamp(int(text), timezone.utc) if text else datetime.now(timezone.utc)
        )
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidInputError(
            f"{REPRODUCIBLE}: {text!r} is no time; set it to whole seconds since 1970, or unset it"
        ) from error
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _say_no_commit(folder: Path, entry: ContextEntry) -> str:
    asked = ", ".join(one for one in entry.asked if one not in NOT_ASKED)
    return (
        f"no commit is found for {folder}; looked at --commit, {asked}. Run this where "
        '.git is, or pass --commit "$(git rev-parse HEAD)" (in a Dockerfile: a build argument), '
        "or --allow-empty to stamp only the rest."
    )


def _list_fields(stamp: Stamp) -> Iterator[str]:
    values = msgspec.structs.asdict(stamp)
    for field in FIELDS:
        if values[field] is not None:
            value = str(values[field]).lower() if field == "dirty" else values[field]
            source = f"  ({stamp.sources[field]})" if field in stamp.sources else ""
            yield f"  {field:13} {value}{source}"
    for key, value in stamp.metadata.items():
        yield f"  {key:13} {value}  (--metadata)"


def _is_in_work_tree(path: Path) -> bool:
    return any((folder / ".git").exists() for folder in path.resolve().parents)
