"""Series: counts by the time traces began, in rollups and beside them, against plain counting."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.query.rows import insert, trace
from tests.query.test_rollups import restart, roll

from whence.errors import FilterError, InvalidInputError
from whence.query import series
from whence.query.facets import count_facets
from whence.query.search import search_traces
from whence.query.series import WIDTHS_MS, choose_width, count_series
from whence.store.hours import HOUR_MS

T0 = 481_000 * HOUR_MS
STEP_MS = 17 * 60_000


@pytest.fixture
def plains(store, experiment_id):
    """Sixty traces, one every 17 minutes, superseded rows beside them; the last one still runs."""
    before = store.hours
    found = [
        trace(
            f"tr-{experiment_id}-{index}",
            request_time_ms=T0 + index * STEP_MS,
            state="IN_PROGRESS" if index == 59 else "ERROR" if index % 5 == 0 else "OK",
            metadata={"app_version": str(index // 20), "tenant": f"t{index % 3}"} if index else {},
        )
        for index in range(60)
    ]
    insert(store, experiment_id, found, stale=True)
    restart(store)
    yield found
    store.hours = before


def shown(found):
    """Return {(start of the bucket, value): traces} without the zeros."""
    return {
        (found.from_ms + index * found.bucket_ms, line.value): count
        for line in found.lines
        for index, count in enumerate(line.counts)
        if count
    }


def expected(plains, width, value=lambda plain: plain["state"]):
    return Counter((one["request_time_ms"] // width * width, value(one)) for one in plains)


@pytest.mark.parametrize("rolled", [False, True])
@pytest.mark.parametrize("buckets", [1, 7, 60, 500])
def test_every_trace_counts_once_in_its_bucket(store, experiment_id, plains, rolled, buckets):
    if rolled:
        roll(store, experiment_id)
    found = count_series(store, experiment_ids=[experiment_id], split="state", buckets=buckets)
    assert len(found.lines[0].counts) <= buckets
    assert shown(found) == expected(plains, found.bucket_ms)
    assert found.total == 60
    assert found.counted_from_ms is None


@pytest.mark.parametrize("rolled", [False, True])
def test_a_filter_and_times_within_hours_narrow_exactly(store, experiment_id, plains, rolled):
    if rolled:
        roll(store, experiment_id)
    since, until = T0 + 5 * STEP_MS, T0 + 50 * STEP_MS
    within = [one for one in plains if since <= one["request_time_ms"] < until]
    asked = {"experiment_ids": [experiment_id], "since_ms": since, "until_ms": until}
    for filter_string, wanted in (
        ("app_version >= '1'", [one for one in within if one["metadata"]["app_version"] > "0"]),
        ("metadata.tenant = 't1'", [one for one in within if one["metadata"]["tenant"] == "t1"]),
        ("state = 'OK' OR app_version = '0'", [
            one for one in within
            if one["state"] == "OK" or one["metadata"]["app_version"] == "0"
        ]),
    ):  # fmt: skip
        found = count_series(store, **asked, filter_string=filter_string, buckets=6)
        assert shown(found) == expected(wanted, found.bucket_ms, lambda one: None)
        assert found.bucket_ms >= HOUR_MS
        facets = count_facets(store, **asked, filter_string=filter_string)
        page = search_traces(store, **asked, filter_string=filter_string)
        assert found.total == facets.total == len(page.traces) == len(wanted)


def test_what_has_no_value_and_what_is_rare_have_lines_of_their_own(store, experiment_id, plains):
    found = count_series(
        store, experiment_ids=[experiment_id], split="app_version", buckets=10, lines=2
    )
    kinds = {(line.kind, line.value): line.total for line in found.lines}
    assert kinds == {("value", "1"): 20, ("other", None): 39, ("missing", None): 1}


def test_too_many_traces_are_counted_from_the_newest_on_and_it_says_so(
    store, experiment_id, plains, monkeypatch
):
    monkeypatch.setattr(series, "EXACT_TRACES", 40)
    found = count_series(
        store, experiment_ids=[experiment_id], filter_string="metadata.tenant != 'x'", buckets=20
    )
    since = found.counted_from_ms
    assert since is not None and T0 < since < T0 + 60 * STEP_MS
    assert found.total == sum(one["request_time_ms"] >= since for one in plains)


def test_an_empty_store_has_no_lines_and_a_given_range_is_kept(store, experiment_id):
    assert count_series(store, experiment_ids=[experiment_id]).lines == []
    found = count_series(
        store, experiment_ids=[experiment_id], since_ms=T0, until_ms=T0 + HOUR_MS, buckets=60
    )
    assert (found.from_ms, found.until_ms, found.bucket_ms) == (T0, T0 + HOUR_MS, 60_000)


@pytest.mark.parametrize("span_ms", [1, 999, 60_000, HOUR_MS, 400 * HOUR_MS, 10**13])
def test_the_width_is_the_shortest_that_fits(span_ms):
    width = choose_width(T0, T0 + span_ms, 60)
    assert (T0 + span_ms) // width - T0 // width < 60
    assert width in WIDTHS_MS or width > WIDTHS_MS[-1]


@pytest.mark.parametrize(
    "wrong",
    [{"split": "session"}, {"buckets": 0}, {"buckets": 501}, {"lines": 0}, {"lines": 201},
     {"since_ms": -1},
     {"since_ms": 5, "until_ms": 5}],
)  # fmt: skip
def test_a_wrong_question_says_what_is_wrong(store, wrong):
    with pytest.raises(
        InvalidInputError, match="|".join(name.removesuffix("_ms") for name in wrong)
    ):
        count_series(store, **wrong)


def test_a_wrong_filter_is_a_filter_error(store):
    with pytest.raises(FilterError, match="environmnt"):
        count_series(store, filter_string="environmnt = 'x'")
