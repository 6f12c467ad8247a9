"""CI systems and platforms: what each tells a program by its variables.

A platform's variables are read only where its marker is set, so that a variable of the same name
that somebody else sets means nothing. The rows are in `platform_table`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from whence import semconv
from whence.sdk.context import table
from whence.sdk.context.found import Found
from whence.sdk.context.platform_table import KEYS, PLATFORMS, Platform
from whence.sdk.context.small_files import read_small_text
from whence.sdk.context.variables import ENV, clean, clean_tag

if TYPE_CHECKING:
    from collections.abc import Iterator

FALSE_WORDS = frozenset({"", "0", "false", "no", "off"})
PLACEHOLDER = re.compile(r"\{(\w+)(?::([\w.]+))?\}")
MAX_EVENT_BYTES = (
    4 << 20
)  # GitHub cuts an event's payload at 25 MB; a pull request's is about 30 kB


# The git services that `{NAME:host}` knows.
HOSTS = {"github": "github.com", "gitlab": "gitlab.com", "bitbucket": "bitbucket.org"}


def is_set(marker: str) -> bool:
    """Tell whether a variable (of `A + B`, each) is set and doesn't say no."""
    values = (os.environ.get(name, "").strip().lower() for name in marker.split(" + "))
    return all(value not in FALSE_WORDS for value in values)


def recognise() -> list[Platform]:
    """Return the platforms that this process runs on; usually one or none."""
    return [one for one in PLATFORMS if any(map(is_set, one.markers))]


def find_job_marker() -> str | None:
    """Return the variable that says that a CI system runs this process, if one does."""
    jobs = (platform for platform in recognise() if platform.is_job)
    return next((name for one in jobs for name in one.markers if is_set(name)), None)


def claim_variables() -> frozenset[str]:
    """Return the variables that the platforms here set by themselves."""
    return frozenset(name for platform in recognise() for name in variables_of(platform))


def variables_of(platform: Platform) -> list[str]:
    """Return every variable of a row, markers apart, in the row's order."""
    found: list[str] = []
    for field in KEYS:
        for spec in getattr(platform, field):
            found += [match[1] for match in PLACEHOLDER.finditer(spec)] or [spec]
    return list(dict.fromkeys(found))


def read_platforms() -> Iterator[Found]:
    """Yield what the platforms here say; of the code, only what the first one says."""
    seen: set[str] = set()
    for platform in recognise():
        said = {found.key: found for found in _read(platform)}
        if seen & set(table.CODE_KEYS):
            said = {key: found for key, found in said.items() if key not in table.CODE_KEYS}
        yield from (found for key, found in said.items() if key not in seen)
        seen |= set(said)


def _read(platform: Platform) -> Iterator[Found]:
    tag = _first(platform, "tag")
    for field in KEYS:
        found = tag if field == "tag" else _first(platform, field)
        if found is None or (field == "branch" and tag and clean_tag(found.value) == tag.value):
            continue  # some name the tag as the branch of its build
        yield found


def _first(platform: Platform, field: str) -> Found | None:
    for spec in getattr(platform, field):
        raw, source = _expand(spec)
        value = _clean(field, raw)
        if value:
            return Found(KEYS[field], value, source)
    return None


def _clean(field: str, raw: str) -> str:
    if field == "tag":  # a reference of another kind is no tag
        name = raw.strip().removeprefix("refs/tags/")
        return "" if name.startswith("refs/") else clean_tag(name)
    key = semconv.GIT_COMMIT if field == "also_at" else KEYS[field]
    return clean(key, raw)


def _expand(spec: str) -> tuple[str, str]:
    """Return the value of a variable or composition ('' if a part is missing), and its origin."""
    parts = PLACEHOLDER.findall(spec)
    if not parts:
        return os.environ.get(spec, ""), ENV + spec
    values = []
    for name, kind in parts:
        value = os.environ.get(name, "").strip()
        values.append(_interpret(value, kind))
    if not all(values):
        return "", ""
    pieces = iter(values)
    text = PLACEHOLDER.sub(lambda _: next(pieces), spec)
    return text, ENV + " + ".join(name for name, _ in parts)


def _interpret(value: str, kind: str) -> str:
    """Return what a placeholder of this kind stands for: a host, or a place in a JSON file."""
    if not kind or not value:
        return value
    if kind == "host":
        return HOSTS.get(value.lower(), "")
    try:
        found = msgspec.json.decode(read_small_text(Path(value), MAX_EVENT_BYTES) or "null")
    except (msgspec.DecodeError, RecursionError):
        return ""
    for step in kind.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""
