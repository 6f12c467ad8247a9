"""Pages about planted traffic show what their commands print, to the letter."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from serving import serving

WHERE = Path(__file__).parents[2] / "scripts" / "traffic_pages.py"


def load_script():
    spec = importlib.util.spec_from_file_location("traffic_pages", WHERE)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


SCRIPT = load_script()
SHOWN = [
    (page.name, found["command"], found["output"])
    for page in SCRIPT.PAGES
    for found in SCRIPT.SHOWN.finditer(page.read_text(encoding="utf-8"))
]


@pytest.fixture(scope="module")
def traffic(tmp_path_factory):
    """A server with the traffic of the pages."""
    store = tmp_path_factory.mktemp("traffic") / "store"
    with serving(store) as running:
        SCRIPT.record_traffic(running.url)
        yield running.url


@pytest.mark.parametrize(
    ("page", "command", "output"), SHOWN, ids=[f"{p} {c}" for p, c, _ in SHOWN]
)
def test_a_page_shows_what_its_command_prints(traffic, page, command, output):
    """`python scripts/traffic_pages.py` mends it."""
    assert SCRIPT.run_command(command, traffic) == output


BISECT = ("bisect", "--environment", "production", "--good", "1.0.0")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--bad", "1.6.0", "--format", "json"), 0, '"first": "1.4.0"'),
        (("--bad", "1.3.0", "--metric", "total_tokens"), 1, "did not move from 1.0.0 to 1.3.0"),
        (("--bad", "1.6.0", "--metric", "error_rate"), 2, "can't be told"),
        (("--bad", "9.9.9"), 3, "names '9.9.9'"),
        (("--bad", "1.6.0", "--margin", "duration"), 3, "can't be read"),
        (("--bad",), 3, "--bad"),
        ((), 3, "--bad"),
    ],
)
def test_the_exit_code_of_a_bisection_tells_its_outcome(whence, traffic, options, code, said):
    done = whence(*BISECT, "--url", traffic, *options)
    assert done.code == code, done.err
    assert said in done.out + done.err


def test_every_page_has_a_command():
    assert {page for page, _, _ in SHOWN} == {page.name for page in SCRIPT.PAGES}


def test_environments_as_json_and_of_an_unknown_version(whence, traffic):
    found = whence("environments", "--format", "json", "--no-quality", "--url", traffic)
    rows = json.loads(found.out)["environments"]
    assert [(row["environment"], row["versions"]) for row in rows] == [
        ("development", 1),
        ("staging", 1),
        ("production", 8),
    ]
    unknown = whence("environments", "--app-version", "9.9.9", "--url", traffic)
    assert (unknown.code, unknown.out) == (1, "")
    assert "9.9.9" in unknown.err
