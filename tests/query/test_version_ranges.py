"""Versions are compared with those that there are; the engine is asked for the ones that satisfy it."""

from __future__ import annotations

import pytest
from tests.query.rows import trace, trace_row
from tests.query.test_plans import Watched

from whence.query.parser import parse_filter
from whence.query.search import search_traces
from whence.query.version_ranges import with_listed_versions

EXPERIMENT_ID = "774310"
VERSIONS = ("2.9.1-rc1", "2.9.1", "2.10.0", "nightly")


@pytest.fixture(scope="module")
def series(chdb_store):
    metadata = [{"app_version": version} for version in VERSIONS] + [{}]
    chdb_store.insert(
        "traces",
        [
            trace_row(trace(f"tr-vr-{index}", metadata=one), EXPERIMENT_ID)
            for index, one in enumerate(metadata)
        ],
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("app_version >= '2.9.1'", [1, 2]),
        ("metadata.app_version < '2.9.1'", [0, 3]),
        ("NOT app_version > '2.9.1'", [0, 1, 3, 4]),
        ("app_version > '99'", []),
        ("NOT app_version > '99'", [0, 1, 2, 3, 4]),
        ("app_version > '99' OR app_version <= 'a'", []),
        ("app_version > 2", []),
    ],
)
def test_a_comparison_of_versions_finds_what_it_says_without_comparing(
    chdb_store, series, text, found
):
    store = Watched(chdb_store)
    page = search_traces(store, experiment_ids=[EXPERIMENT_ID], filter_string=text)
    assert sorted(info.trace_id for info in page.traces) == [f"tr-vr-{index}" for index in found]
    assert not any("splitByChar" in sql for sql in store.statements)
    if text.startswith("app_version >="):
        assert "by_app_version" in store.plans[0]


def test_a_version_that_arrives_later_is_found(chdb_store, series):
    def find():
        text = "app_version >= '774310.0'"
        found = search_traces(chdb_store, experiment_ids=[EXPERIMENT_ID], filter_string=text)
        return [info.trace_id for info in found.traces]

    assert find() == []
    later = trace("tr-vr-later", metadata={"app_version": "774310.1"})
    chdb_store.insert("traces", [trace_row(later, EXPERIMENT_ID)])
    assert find() == ["tr-vr-later"]


def test_other_comparisons_stay_as_they_are():
    for text in ("app_version = '2'", "app_version > 2", "metadata.tenant > '2'", "branch < 'b'"):
        assert with_listed_versions(parse_filter(text), VERSIONS) == parse_filter(text)
