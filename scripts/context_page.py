"""Write the tables of docs/context.md, which are made from the code that uses them.

`uv run python scripts/context_page.py` rewrites what stands between `<!-- begin NAME -->` and
`<!-- end NAME -->`; `tests/sdk/context/test_context_page.py` keeps it fresh.
"""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from whence.sdk.context.platform_table import PLATFORMS
from whence.sdk.context.platforms import PLACEHOLDER
from whence.sdk.context.table import MEANINGS, TABLE, Row, resource_name
from whence.sdk.context.work_tree.candidates import LEFT_BY_RUNS

if TYPE_CHECKING:
    from collections.abc import Callable

    from whence.sdk.context.platform_table import Platform

PAGE = Path(__file__).resolve().parents[1] / "docs" / "context.md"
BLOCK = re.compile(r"(<!-- begin (\w+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)
VARIABLE = "env "

# What a platform's row gives, in words.
GIVES = {
    "commit": "commit",
    "also_at": "further commits",
    "branch": "branch",
    "tag": "version (a tag)",
    "url": "address",
    "environment": "environment",
    "deployment_id": "deployment",
    "region": "region",
    "service": "`service.name`",
}


def write_keys() -> str:
    """Return the table of keys, with who is asked for each."""
    lines = ["| metadata key | OpenTelemetry | meaning | asked, the first that knows wins |"]
    lines.append("|---|---|---|---|")
    lines += [f"| {_describe_key(row)} | {write_sources(row)} |" for row in TABLE]
    return "\n".join(lines)


def _describe_key(row: Row) -> str:
    name = resource_name(row.key)
    return f"`{row.key}` | `{name}` | {row.meaning}"


def write_sources(row: Row) -> str:
    """Return who is asked for a key; variables without `env`."""
    return ", ".join(f"`{source.removeprefix(VARIABLE)}`" for source in row.sources)


def write_meanings() -> str:
    """Return the table of sources."""
    lines = ["| source | what it is |", "|---|---|"]
    lines += [f"| `{name.removeprefix(VARIABLE)}` | {text} |" for name, text in MEANINGS.items()]
    return "\n".join(lines)


def write_platforms() -> str:
    """Return the table of platforms."""
    lines = ["| platform | is there if set | gives | documented as |", "|---|---|---|---|"]
    for one in PLATFORMS:
        markers = " or ".join(f"`{marker}`" for marker in one.markers)
        lines.append(f"| {one.name} | {markers} | {_write_gifts(one)} | {one.documentation} |")
    return "\n".join(lines)


def _write_gifts(platform: Platform) -> str:
    gifts = []
    for field, word in GIVES.items():
        specs = [PLACEHOLDER.sub(_show, spec) for spec in getattr(platform, field)]
        if specs:
            gifts.append(f"{word} {', '.join(f'`{spec}`' for spec in specs)}")
    if platform.is_job:
        gifts.append("source type `JOB`")
    return "; ".join(gifts)


def _show(placeholder: re.Match[str]) -> str:
    """Return a placeholder as a reader needs it: a place in a file, else the variable alone."""
    name, kind = placeholder.groups()
    return f"{kind} in {name}" if kind and "." in kind else f"{{{name}}}"


def write_left() -> str:
    """Return the patterns of what a run leaves beside the code."""
    words = [f"`{pattern}`" for pattern in LEFT_BY_RUNS]
    return fill(", ".join(words), 100, break_long_words=False, break_on_hyphens=False)


PARTS: dict[str, Callable[[], str]] = {
    "keys": write_keys,
    "sources": write_meanings,
    "platforms": write_platforms,
    "left": write_left,
}


def write_page(text: str) -> str:
    """Return the page with its tables made anew."""
    return BLOCK.sub(lambda block: f"{block[1]}{PARTS[block[2]]()}\n{block[3]}", text)


if __name__ == "__main__":
    PAGE.write_text(write_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
