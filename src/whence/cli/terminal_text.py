r"""Stored text made safe to print: what would command a terminal is shown instead.

Whoever may send a trace chooses its names, metadata, tags and errors, so a person's terminal must
not obey them: nor escape sequences, nor line ends that forge a line of ours, nor marks that turn
the direction of reading. Each such character becomes its escape as Python writes it: `\x1b`,
`\n`, `\u202e`. Surrogates, which no UTF-8 stream takes, are escaped too.

A CI service obeys lines too: `::error::` at a line's start, `##[error]` anywhere in it (GitHub;
`##vso[` Azure Pipelines). What is printed for one goes through `disarm` or `disarm_json`.

Limits: a backslash stays one, so escaped text can't be read back (`--json` can). Letters that
look alike, joiners and combining marks are not touched.
"""

from __future__ import annotations

import re

NAMES = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
LAYOUT = "\t\n"
# DEL and C1; the marks and overrides of direction; the line and paragraph separators.
HIGH = r"\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
UNSAFE = re.compile(rf"[\x00-\x1f{HIGH}\ud800-\udfff]")
UNSAFE_IN_JSON = re.compile(f"[{HIGH}]")  # the encoder escapes the rest; its line ends are layout
LATIN_1 = 0xFF
COMMAND = re.compile(r"(?m)^([^\S\n]*)::|##(?=\w*\[)")  # a CI service's


def escape_line(text: str) -> str:
    """Return text that stays on its line and commands nothing."""
    return UNSAFE.sub(_escape, text)


def escape_lines(text: str) -> str:
    """Return text that keeps its lines and tabs, as a diff, and commands nothing else."""
    return UNSAFE.sub(lambda found: found[0] if found[0] in LAYOUT else _escape(found), text)


def escape_json(document: bytes) -> bytes:
    r"""Return the same JSON, with `\u009b` in place of what a terminal would obey."""
    if document.isascii() and b"\x7f" not in document:
        return document
    text = document.decode()
    return UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def disarm(text: str) -> str:
    r"""Return lines that no CI service takes for a command: `\::error::`, `#\#[error]`."""
    return COMMAND.sub(lambda found: "#\\#" if found[0] == "##" else f"{found[1]}\\::", text)


def disarm_json(text: str) -> str:
    r"""Return the same JSON without `##`, which only its strings can hold: `#\u0023`."""
    return text.replace("##", "#\\u0023")


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return NAMES.get(found[0]) or (f"\\x{code:02x}" if code <= LATIN_1 else f"\\u{code:04x}")
