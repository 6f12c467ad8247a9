r"""One total order over every text, in which version texts stand as people mean them.

A text is read as: an optional `v`, a release (`2.10.0`), and a rest. Compared are, in this order:

1. texts that don't begin with a release come before those that do;
2. the numbers of the release, trailing zeros aside (`2.1` and `2.1.0` stand side by side);
3. pre-release < release < anything after it. A rest is a pre-release when it begins with `-`
   (semantic versioning) or with one of `PRE_RELEASE_WORDS`; `-5-g1a2b3c4` (git describe), `-dirty`
   and `-post1` come after;
4. the rest: digits as numbers, everything else as bytes, ASCII letters in lower case;
5. the UTF-8 bytes of the whole text, so that no two different texts are equal.

So `2.9.1-rc1 < 2.9.1 < 2.9.1+b2 < 2.10.0`. `sort_key` computes it here, `SORT_KEY_SQL` in the
engine; both are built from the patterns below and must agree to the byte (a property test).
Limit: runs of more than 999,999 digits are not told apart by their length.
"""

from __future__ import annotations

import re

PRE_RELEASE_WORDS = (
    "alpha",
    "beta",
    "canary",
    "dev",
    "milestone",
    "nightly",
    "next",
    "preview",
    "pre",
    "rc",
    "snapshot",
    "a",
    "b",
    "c",
    "m",
)
_RELEASE = r"^[vV]?([0-9]+(?:\.[0-9]+)*)"
_TRAILING_ZEROS = r"(?:\.0+)+$"
_AFTER = r"^-(?:[0-9]+-g[0-9a-f]+(?:-dirty)?|dirty|post[.]?[0-9]*)$"
_BEFORE = rf"^(?:-|[._]?(?:{'|'.join(PRE_RELEASE_WORDS)})(?:[^a-z]|$))"
_SEPARATORS = r"^[-._]+"
_RUN = r"[0-9]+|[^0-9]+"
_DIGITS = 6


def sort_key(text: str) -> tuple[bytes, bytes]:
    """Return a key whose order is the order of versions; equal for equal texts only."""
    raw = text.encode()
    found = re.match(_RELEASE.encode(), raw)
    if found is None:
        return b"0" + _natural(raw.lower()), raw
    release = re.sub(_TRAILING_ZEROS.encode(), b"", found[1])
    rest = raw[found.end() :].lower()
    rank = _rank(rest)
    natural_rest = _natural(re.sub(_SEPARATORS.encode(), b"", rest))
    numbers = b"".join(_number(part) for part in release.split(b"."))
    return b"1" + numbers + b" " + rank + natural_rest, raw


def _rank(rest: bytes) -> bytes:
    if not rest:
        return b"1"
    if re.match(_AFTER.encode(), rest):
        return b"2"
    return b"0" if re.match(_BEFORE.encode(), rest) else b"2"


def _natural(text: bytes) -> bytes:
    runs = re.findall(_RUN.encode(), text)
    return b"".join(_number(run) if run[:1].isdigit() else run for run in runs)


def _number(digits: bytes) -> bytes:
    significant = digits.lstrip(b"0")
    return str(len(significant)).encode().rjust(_DIGITS, b"0")[:_DIGITS] + significant


def _quote(pattern: str) -> str:
    return "'" + pattern.replace("\\", "\\\\") + "'"


def _number_sql(run: str) -> str:
    significant = f"trim(LEADING '0' FROM {run})"
    return f"concat(leftPad(toString(length({significant})), {_DIGITS}, '0'), {significant})"


def _natural_sql(text: str) -> str:
    run = f"if(match(run, '^[0-9]'), {_number_sql('run')}, run)"
    return f"arrayStringConcat(arrayMap(run -> {run}, extractAll({text}, {_quote(_RUN)})))"


def sort_key_sql(text: str) -> str:
    """Return SQL for the first part of the key of a text expression (not Nullable).

    The second part is the text itself.
    """
    found = f"extract({text}, {_quote(_RELEASE)})"
    release = f"replaceRegexpOne({found}, {_quote(_TRAILING_ZEROS)}, '')"
    rest = f"lower(replaceRegexpOne({text}, {_quote(_RELEASE)}, ''))"
    rank = (
        f"multiIf({rest} = '', '1', match({rest}, {_quote('(?-s)' + _AFTER)}), '2', "
        f"match({rest}, {_quote('(?-s)' + _BEFORE)}), '0', '2')"
    )
    natural_rest = _natural_sql(f"replaceRegexpOne({rest}, {_quote(_SEPARATORS)}, '')")
    parts = f"arrayMap(run -> {_number_sql('run')}, splitByChar('.', {release}))"
    return (
        f"if({found} = '', concat('0', {_natural_sql(f'lower({text})')}), "
        f"concat('1', arrayStringConcat({parts}), ' ', {rank}, {natural_rest}))"
    )
