"""A small canary beside a large baseline: each arm is sampled by itself, by whole units."""

from __future__ import annotations

import numpy as np
import pytest

from whence.analysis.compare import Question, compare_versions
from whence.query.arms import Scope, name_arms
from whence.query.population import MAX_TRACES, SHARES, read_population
from whence.store.connection import open_store

# version → traces; sessions of four traces.
COUNTS = {"large": 260_000, "canary": 3_000, "other": 210_000}
_FILL = """\
INSERT INTO traces
    (experiment_id, trace_id, request_time_ms, duration_ns, state, environment, app_version,
     trace_name, session, span_count, request_preview, version)
SELECT '0', concat({version:String}, '-', toString(number)), 1700000000000 + number,
    100000000 + cityHash64(number) % 1000000, if(number % 500 = 0, 'ERROR', 'OK'), 'production',
    {version:String}, 'chat', concat({version:String}, '-', toString(intDiv(number, 4))), 1, 'hi', 1
FROM numbers({count:UInt64})
"""


@pytest.fixture(scope="module")
def store(clickhouse_server_url):
    """A store of these traces alone (a process holds one embedded store, which is the session's)."""
    with open_store(f"{clickhouse_server_url}/population") as opened:
        for version, count in COUNTS.items():
            opened.command(_FILL, {"version": version, "count": count})
        yield opened


def read(store, baseline, candidate):
    scope = Scope(environment="production")
    return read_population(store, scope, *name_arms(store, scope, baseline, candidate))


def test_a_canary_keeps_all_of_its_traces_beside_a_sampled_baseline(store):
    found = read(store, "large", "canary")
    assert found.found == (COUNTS["large"], COUNTS["canary"])
    assert found.sampled and found.shares[1] == SHARES
    assert np.count_nonzero(found.is_candidate) == COUNTS["canary"]
    assert np.count_nonzero(~found.is_candidate) == pytest.approx(MAX_TRACES, rel=0.02)
    assert set(np.bincount(found.unit)) == {4}  # whole sessions
    assert found.unit.max() + 1 == len(np.unique(found.unit))


def test_a_sample_is_the_same_whatever_stands_beside_it(store):
    """With 470,000 traces in both the engine samples, with 263,000 it is done here."""
    alone, both = read(store, "large", "canary"), read(store, "large", "other")
    assert both.found == (COUNTS["large"], COUNTS["other"])
    assert np.array_equal(alone.key[~alone.is_candidate], both.key[~both.is_candidate])
    ids = both.ids.of(np.flatnonzero(both.is_candidate)[:3])
    assert all(one.startswith("other-") for one in ids)


def test_the_report_says_which_arm_is_sampled_and_explains_from_the_same_traces(store):
    scope = Scope(environment="production")
    found = compare_versions(
        store, Question(scope=scope, baseline="large", candidate="canary", explain=True)
    )
    assert (found.candidate.used, found.candidate.traces) == (3_000, 3_000)
    assert found.baseline.traces == COUNTS["large"] > found.baseline.used
    assert not found.exact
    assert any("fixed sample of its units" in note for note in found.notes)
    assert found.explanation is not None
    for pair in found.explanation.exemplars:
        assert pair.baseline_ms is not None
