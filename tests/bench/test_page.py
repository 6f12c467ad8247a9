"""The page of figures says what the file of results does, and how the peers are pinned."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest
from bench.growth import REASONS
from bench.harness import Figure, write_line
from bench.results import Outcome

from bench import environments, headlines, page, pictures, results

FOUND = results.read(results.PAGE_RESULTS)
MADE = page.write_all(FOUND)


@pytest.mark.parametrize("path", [page.PAGE, headlines.README], ids=lambda path: path.name)
def test_what_is_made_from_results_is_fresh(path):
    assert path.read_bytes() == MADE[path], "run: uv run just bench-page"


@pytest.mark.parametrize(
    "path", [page.GROWTH_PICTURE, page.PEERS_PICTURE], ids=lambda path: path.name
)
def test_the_pictures_are_fresh(path):
    if version("matplotlib") != FOUND.packages["whence"]["matplotlib"]:
        pytest.skip("drawn with another matplotlib")
    assert path.read_bytes() == MADE[path], "run: uv run just bench-page"


def test_readme_has_a_place_for_the_numbers():
    assert headlines.NUMBERS.search(headlines.README.read_text())


def test_every_line_of_the_growth_has_a_reason():
    drawn = {name for lines in pictures.find_growth(FOUND).values() for name in lines}
    assert drawn <= set(REASONS)


def test_every_peer_is_pinned_exactly_and_its_set_up_is_told():
    assert (
        set(environments.peer_pins())
        == set(page.SET_UPS) - {"whence"}
        == set(page.NAMED) - {"whence"}
    )
    for pins in environments.peer_pins().values():
        assert all(re.fullmatch(r"[\w-]+==[\w.]+", pin) for pin in pins), pins


def test_a_missed_bound_a_failure_and_a_ratio_are_told():
    outcome = Outcome(
        name="ingest",
        title="Durable ingest",
        text="How it is done.",
        commit="c0ffee",
        date="2026-01-01 00:00 UTC",
        error="Traceback: the disk | is full",
        figures=[
            Figure(name="spans", subject="phoenix", unit="spans/s", values=[10, 12, 14]),
            Figure(name="spans", subject="mlflow", unit="spans/s", values=[], note="failed: pip"),
            Figure(
                name="spans", subject="whence", unit="spans/s", values=[600, 590, 900], at_least=700
            ),
        ],
    )
    only = results.Results(
        machine=FOUND.machine,
        command="uv run python -m bench",
        rounds=3,
        sizes=[],
        peers=["phoenix", "mlflow"],
        packages={},
        outcomes=[outcome],
    )
    text = page.write_page(only)
    assert "0 of 1 bounds are kept." in text
    assert "- spans: 600 spans/s, promised ≥ 700 ([durable ingest](#durable-ingest))" in text
    assert "**Durable ingest** did not run to its end" in text
    assert "| spans | whence | 600 spans/s | 590 to 900 |  | ≥ 700 | **no** |" in text
    assert "|  | phoenix | 12 spans/s | 10 to 14 | 1/50 |  |  |" in text
    assert "|  | mlflow | failed |  |  |  |  |" in text
    assert "- mlflow: failed: pip" in text


def test_a_figure_that_failed_has_a_line_that_says_why():
    failed = Figure(name="disk", subject="mlflow", unit="B", values=[], note="failed: no pip")
    assert write_line(failed).split() == ["disk", "mlflow", "failed:", "no", "pip"]
    missed = Figure(name="page", subject="whence", unit="ms", values=[3, 9], at_most=5, size=1000)
    words = ["page", "at", "1,000", "whence", "6", "ms", "[3", "to", "9]", "NOT", "KEPT"]
    assert write_line(missed).split() == words
