"""Read git's configuration format, as much of it as names the remotes.

Sections, subsections, quotes, escapes, comments, continued lines and keys without a value are
read; `include.path` is not followed. A line that can't be read is passed over.
"""

from __future__ import annotations

import re

SECTION = re.compile(r'^\s*\[\s*([A-Za-z0-9.-]+)\s*(?:"((?:[^"\\]|\\.)*)")?\s*\]')
ENTRY = re.compile(r"^\s*([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(.*))?$", re.DOTALL)
ESCAPES = {"n": "\n", "t": "\t", "b": "\b", '"': '"', "\\": "\\"}


def parse_config(text: str) -> list[tuple[str, str, str, str]]:
    """Return (section, subsection, key, value) in order; section and key in lower case."""
    entries = []
    section = subsection = ""
    for line in _join_lines(text):
        rest = line
        if header := SECTION.match(line):
            section, subsection = header[1].lower(), re.sub(r"\\(.)", r"\1", header[2] or "")
            if header[2] is None and "." in section:  # the older form: [remote.origin]
                section, subsection = section.split(".", 1)
            rest = line[header.end() :]
        if entry := ENTRY.match(rest):
            entries.append((section, subsection, entry[1].lower(), _read_value(entry[2] or "")))
    return entries


def _join_lines(text: str) -> list[str]:
    """Join a line that ends in an odd number of backslashes with the next one."""
    lines: list[str] = []
    open_line = ""
    for raw in text.replace("\r\n", "\n").split("\n"):
        line = open_line + raw
        trailing = len(line) - len(line.rstrip("\\"))
        if trailing % 2:
            open_line = line[:-1]
        else:
            lines.append(line)
            open_line = ""
    return [*lines, open_line]


def _read_value(text: str) -> str:
    """Undo quotes and escapes, cut comments and outer blanks."""
    value: list[str] = []
    keep = 0  # characters that trailing blanks must not eat
    quoted = escaped = False
    for char in text:
        if escaped:
            value.append(ESCAPES.get(char, char))
            escaped = False
        elif char == "\\":
            escaped = True
            continue
        elif char == '"':
            quoted = not quoted
        elif char in "#;" and not quoted:
            break
        else:
            value.append(char)
        if quoted or not char.isspace():
            keep = len(value)
    return "".join(value[:keep])


def find_remote_url(text: str) -> str | None:
    """Return the first URL of `origin`, else of the first remote that has one, as written."""
    urls: dict[str, str] = {}
    for section, subsection, key, value in parse_config(text):
        if section == "remote" and key == "url" and value:
            urls.setdefault(subsection, value)
    return urls.get("origin") or next(iter(urls.values()), None)
