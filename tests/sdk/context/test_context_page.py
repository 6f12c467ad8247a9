"""docs/context.md is made from the tables that the code runs by."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from whence.sdk.context.platform_table import PLATFORMS
from whence.sdk.context.platforms import variables_of
from whence.sdk.context.table import MEANINGS, TABLE

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "context.md").read_text(encoding="utf-8")


def test_the_page_is_fresh():
    """`uv run just docs` mends it."""
    script = runpy.run_path(str(ROOT / "scripts" / "context_page.py"))
    assert script["write_page"](PAGE) == PAGE


def test_every_key_stands_there_with_its_sources_in_their_order():
    for row in TABLE:
        line = next(one for one in PAGE.splitlines() if one.startswith(f"| `{row.key}` |"))
        shown = re.findall(r"`([^`]+)`", line.rpartition(" | ")[2])
        assert shown == [source.removeprefix("env ") for source in row.sources], row.key


def test_every_variable_of_a_platform_stands_there():
    for row in PLATFORMS:
        line = next(one for one in PAGE.splitlines() if one.startswith(f"| {row.name} |"))
        names = [*row.markers, *variables_of(row)]
        assert not [name for name in names if name not in line], row.name


def test_every_source_of_the_table_has_a_meaning():
    sources = {source for row in TABLE for source in row.sources}
    assert not {one for one in sources if one not in MEANINGS and not one.startswith("env ")}
