"""Every difference that docs/mlflow.md lists is held by a test."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_page_names_is_there():
    page = (ROOT / "docs" / "mlflow.md").read_text(encoding="utf-8")
    rows = [line for line in page.split("## Where Whence differs")[1].splitlines() if "|" in line]
    named = [re.findall(r"`(test_\w+)` \|$", row) for row in rows[2:]]
    tests = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")
    )
    assert len(named) > 5
    assert all(len(names) == 1 for names in named)
    assert [name for (name,) in named if f"def {name}(" not in tests] == []
