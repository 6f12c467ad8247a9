"""Read git's configuration format, as much of it as Whence asks about.

Sections, subsections, quotes, escapes, comments, continued lines, keys without a value and
`include.path` are read. Limits: `includeIf` is not followed, only the repository's own files are
looked at (not the user's and the system's), and where git refuses a whole file for one bad line,
that line is passed over. `url.<base>.insteadOf` is left alone on purpose: it says how this machine
reaches a repository, and two machines should name the same repository alike.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from whence.sdk.context.git.files import read_text

MAX_CONFIG_BYTES = 4 << 20
MAX_INCLUDED_FILES = 20
MAX_INCLUDE_DEPTH = 5
BLANK = " \t\r"  # git's notion of blanks; a non-breaking one is a letter to it
SKIPPED = re.compile(r"(?:[ \t\r\n]|[#;][^\n]*)*")
HEADER = re.compile(r'\[([A-Za-z0-9.-]+)(?:[ \t\r]+"((?:[^"\\\n]|\\[^\n])*)")?\]')
KEY = re.compile(r"([A-Za-z][A-Za-z0-9-]*)[ \t]*(=|(?=\n)|\Z)")
REST_OF_LINE = re.compile(r"[^\n]*")
PIECE = re.compile(r'[^\\"\n#; \t\r]+|[ \t\r]+|\\?.|\\?\n', re.DOTALL)
ESCAPES = {"\\n": "\n", "\\t": "\t", "\\b": "\b", '\\"': '"', "\\\\": "\\"}
TRUE = frozenset({"", "true", "yes", "on", "1"})


class Entry(NamedTuple):
    """One line; section and key in lower case, no subsection is ''."""

    section: str
    subsection: str
    key: str
    value: str


def read_config(path: str) -> list[Entry]:
    """Return the entries of a file and of those it includes, in order."""
    entries: list[Entry] = []
    _read_into(entries, path, 0, [])
    return entries


def _read_into(entries: list[Entry], path: str, depth: int, seen: list[str]) -> None:
    seen.append(path)
    for entry in parse_config(read_text(path, MAX_CONFIG_BYTES)):
        entries.append(entry)
        if entry[:3] != ("include", "", "path") or not entry.value:
            continue
        if depth < MAX_INCLUDE_DEPTH and len(seen) < MAX_INCLUDED_FILES:
            with suppress(OSError, ValueError, RuntimeError):  # unreadable, or no home folder
                target = Path(path).parent / Path(entry.value).expanduser()
                _read_into(entries, str(target), depth + 1, seen)


def parse_config(text: str) -> list[Entry]:
    """Return the entries of a configuration's text, in order."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    entries = []
    section = subsection = ""
    position = _end(SKIPPED, text, 0)
    while position < len(text):
        if header := HEADER.match(text, position):
            section, subsection = _read_header(header)
            position = header.end()
        elif key := KEY.match(text, position):
            value, position = ("", key.end()) if not key[2] else _read_value(text, key.end())
            if value is not None:
                entries.append(Entry(section, subsection, key[1].lower(), value))
        else:
            position = _end(REST_OF_LINE, text, position)
        position = _end(SKIPPED, text, position)
    return entries


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    return found.end() if found else position


def _read_header(header: re.Match[str]) -> tuple[str, str]:
    section = header[1].lower()
    if header[2] is not None:
        return section, re.sub(r"\\(.)", r"\1", header[2])
    name, _, rest = section.partition(".")  # the older form: [remote.origin]
    return name, rest


def _read_value(text: str, position: int) -> tuple[str | None, int]:
    """Return a value without quotes, escapes, comment and outer blanks, None for a broken one."""
    pieces: list[str] = []
    kept = 0  # pieces that the cutting of blanks at the end must not reach
    quoted = False
    while found := PIECE.match(text, position):
        piece = found[0]
        if piece == "\n":
            break
        position = found.end()
        if piece in "#;" and not quoted:
            position = _end(REST_OF_LINE, text, position)
            break
        if piece[0] in BLANK and not quoted:
            pieces.extend([piece] if pieces else [])
            continue
        if piece == '"':
            quoted = not quoted
        elif piece[0] != "\\":
            pieces.append(piece)
        elif piece in ESCAPES:
            pieces.append(ESCAPES[piece])
        elif piece != "\\\n":
            return None, _end(REST_OF_LINE, text, position)
        kept = len(pieces)
    return (None if quoted else "".join(pieces[:kept])), position


def last_value(entries: list[Entry], section: str, subsection: str, key: str) -> str | None:
    """Return the value that counts where a key is given several times: the last."""
    wanted = (section, subsection, key)
    return next((entry.value for entry in reversed(entries) if entry[:3] == wanted), None)


def is_true(value: str | None) -> bool:
    """Tell whether a value means true; a key without a value does."""
    return value is not None and value.lower() in TRUE


def find_remotes(entries: list[Entry]) -> dict[str, str]:
    """Return the remotes that have a URL, each with its first one, as written."""
    urls: dict[str, str] = {}
    for section, subsection, key, value in entries:
        if section != "remote" or key != "url":
            continue
        if value:
            urls.setdefault(subsection, value)
        else:
            urls.pop(subsection, None)  # an empty URL clears those above it
    return urls


def find_remote_url(entries: list[Entry], branch: str | None = None) -> str | None:
    """Return the URL of `origin`, else of the branch's remote, else of the first remote."""
    urls = find_remotes(entries)
    configured = last_value(entries, "branch", branch, "remote") if branch else None
    names = ("origin", configured or "", *urls)
    return next((urls[name] for name in names if name in urls), None)
