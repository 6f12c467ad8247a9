"""A run's traces: those recorded in it, and those linked to it later."""

from __future__ import annotations

import pytest
from tests.query.rows import insert, trace

from whence.query.facets import count_facets
from whence.query.search import search_traces

EXPERIMENT = "774203"
RECORDED = {"mlflow.sourceRun": "run_1"}
LINKED = "whence.linkedRuns"


@pytest.fixture(scope="module")
def linked(store):
    def one(letter, **given):
        return trace(f"tr-run-{letter}", name=letter, **given)

    traces = [
        one("a", metadata=RECORDED),
        one("b", tag_writes={LINKED: '["run_1"]'}),
        one("c", metadata={"mlflow.sourceRun": "other"}, tag_writes={LINKED: '["x","run_1","y"]'}),
        one("d", tag_writes={LINKED: '["runx1","run_10","say \\"run_1\\""]'}),
        one("e", tag_writes={LINKED: None}),
        one("f", tags={LINKED: '["run_1"]'}),
    ]
    insert(store, EXPERIMENT, traces)
    return store


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("run_id = 'run_1'", "abcf"),
        ("attribute.run_id = 'run_1' AND name != 'a'", "bcf"),
        ("run_id IN ('x', 'run_10')", "cd"),
        ("run_id = 'say \"run_1\"'", "d"),
        ("NOT run_id = 'run_1'", "de"),
        ("run_id = 'other' OR run_id = 'run_10'", "cd"),
        ("run_id != 'run_1'", "c"),
        ("run_id IS NULL", "bdef"),
        ("run_id = '.*'", ""),
    ],
)
def test_equality_also_finds_what_was_linked_later(linked, text, found):
    page = search_traces(linked, experiment_ids=[EXPERIMENT], filter_string=text)
    assert "".join(sorted(info.trace_id[-1] for info in page.traces)) == found


def test_facets_count_the_same_traces(linked):
    counted = count_facets(
        linked, experiment_ids=[EXPERIMENT], filter_string="run_id = 'run_1'", fields=["state"]
    )
    assert counted.total == 4
