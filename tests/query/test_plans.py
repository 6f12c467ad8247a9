"""What a search asks the engine: how many statements, in which order they read, by which index.

Times are never tested; that a search reads few granules through the index made for it is what keeps
it fast.
"""

from __future__ import annotations

import re

import pytest
from tests.query.rows import trace, trace_row

from whence.query.search import search_traces
from whence.query.views import read_trace
from whence.store.kept import KeptTables
from whence.store.rows import SpanRow
from whence.store.superseded import SupersededRows

COUNT = 5000
GRANULE = 64
WIDEST = 500 // GRANULE + 2  # of a branch, whose traces lie together


class Watched:
    """A store that keeps what it is asked, and the plans of it."""

    def __init__(self, store, *, asks_for_all=False):
        self._store = store
        # Where the small tables aren't held in memory, the engine is asked for their rows.
        self.kept = KeptTables(store.query, shared=True) if asks_for_all else store.kept
        # Looked through now, so that every key is known, whatever was inserted before.
        self.superseded = SupersededRows(store.query, store.query_raw, shared=asks_for_all)
        self.superseded.wait()
        self.statements = []
        self.plans = []

    def count_inserts(self, table):
        return self._store.count_inserts(table)

    def query_together(self, statements, **settings):
        return [self.query(*one, settings=settings) for one in statements]

    def query(self, sql, parameters=None, *, settings=None):
        self.statements.append(sql)
        plan = self._store.query(f"EXPLAIN indexes = 1 {sql}", parameters, settings=settings)
        self.plans.append("\n".join(line for (line,) in plan.rows))
        return self._store.query(sql, parameters, settings=settings)


def plain_of(experiment_id, index):
    return trace(
        f"tr-{experiment_id}-{index:05}",
        request_time_ms=1_000_000 + index,
        metadata={
            "app_version": f"1.{index // 100}",
            "mlflow.source.git.commit": f"c{index // 50}",
            "mlflow.source.git.branch": f"b{index // 500}",
            "mlflow.trace.session": f"s{index // 5}",
            "mlflow.trace.user": f"u{index % 700}",
            "tenant": f"t{index % 900}",
            "long": "x" * 300 + str(index),
        },
        request_preview=f"please refund order{index} at once",
        response_preview=f"order{index} was refunded",
    )


@pytest.fixture(scope="module")
def series(chdb_store):
    experiment_id = "774250"
    rows = [trace_row(plain_of(experiment_id, index), experiment_id) for index in range(COUNT)]
    chdb_store.insert("traces", rows)
    # Indexes are made when parts are merged; this waits for it.
    chdb_store.command("OPTIMIZE TABLE traces FINAL")
    return experiment_id


def granules_by(plan, index):
    """Return (selected, of all) granules of a skip index, summed over the parts it was asked in."""
    found = re.search(rf"Name: {index}\n(?:.*\n)*?.*?Granules: (\d+)/(\d+)", plan)
    return None if found is None else (int(found[1]), int(found[2]))


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("app_version = '1.7'", "by_app_version"),
        ("metadata.app_version IN ('1.7', '1.8')", "by_app_version"),
        ("commit = 'c30'", "by_commit"),
        ("branch = 'b3'", "by_branch"),
        ("session = 's400'", "by_session"),
        ("user = 'u5'", "by_user"),
        ("state = 'OK' AND user = 'u5'", "by_user"),
        ("metadata.tenant = 't17'", "by_metadata"),
        ("metadata.tenant IN ('t17', 't18')", "by_metadata"),
        ("request_preview LIKE '%order4711%'", "by_request_preview"),
        ("request_preview ILIKE '%ORDER4711%'", "by_request_preview"),
        ("response_preview LIKE '%order4711 was%'", "by_response_preview"),
    ],
)
def test_a_rare_value_is_found_by_its_index(chdb_store, series, text, index):
    store = Watched(chdb_store)
    page = search_traces(store, experiment_ids=[series], filter_string=text)
    assert page.traces
    selected, asked = granules_by(store.plans[0], index)
    assert selected <= asked / 2
    assert selected <= WIDEST


def test_what_is_inserted_at_once_in_great_number_is_found_by_its_indexes(chdb_store):
    experiment_id = "774251"
    rows = [trace_row(plain_of(experiment_id, index), experiment_id) for index in range(9000)]
    chdb_store.insert("traces", rows)
    store = Watched(chdb_store)
    page = search_traces(store, experiment_ids=[experiment_id], filter_string="user = 'u5'")
    assert len(page.traces) == 13  # noqa: PLR2004
    selected, asked = granules_by(store.plans[0], "by_user")
    assert asked >= 9000 // GRANULE
    assert selected <= 13 + asked - 9000 // GRANULE


@pytest.mark.parametrize(("asks_for_all", "statements"), [(False, 1), (True, 5)])
def test_a_page_is_read_in_order_and_by_few_statements_most_of_them_side_by_side(
    chdb_store, series, asks_for_all, statements
):
    for text in ("", "state != 'x'", "user = 'u5'", "metadata.tenant = 't3' OR state = 'OK'"):
        store = Watched(chdb_store, asks_for_all=asks_for_all)
        search_traces(store, experiment_ids=[series], max_results=3, filter_string=text)
        assert len(store.statements) == statements
        assert "InOrder" in store.plans[0]
        if asks_for_all:
            assert "PREWHERE experiment_id IN {" in store.statements[2]


def test_a_search_of_all_experiments_knows_which_there_are(chdb_store, series):
    search_traces(chdb_store, max_results=3)
    store = Watched(chdb_store)
    filter_string = f"trace_id LIKE 'tr-{series}-%' OR trace_id = 'tr-news'"
    search_traces(store, max_results=3, filter_string=filter_string)
    assert not any("DISTINCT" in sql for sql in store.statements)
    news = trace_row(trace("tr-news", request_time_ms=2**41), "774252")
    chdb_store.insert("traces", [news])
    page = search_traces(store, max_results=3, filter_string=filter_string)
    assert [info.experiment_id for info in page.traces] == ["774252", series, series]


def test_a_store_that_others_write_as_well_is_asked_for_experiments_not_yet_seen(chdb_store):
    kept = KeptTables(chdb_store.query, shared=True)
    chdb_store.insert("traces", [trace_row(trace("tr-first"), "774253")])
    assert "774253" in kept.list_experiment_ids()
    chdb_store.insert("traces", [trace_row(trace("tr-second"), "774254")])
    assert {"774253", "774254"} <= kept.list_experiment_ids()


def test_whole_rows_are_read_through_one_column(chdb_store, series):
    store = Watched(chdb_store)
    search_traces(store, experiment_ids=[series], filter_string="user = 'u5'")
    assert "packed" in store.statements[0]
    assert not any("input_tokens" in sql for sql in store.statements)


def test_a_value_that_is_longer_than_the_index_keeps_is_found(chdb_store, series):
    def find(text):
        found = search_traces(chdb_store, experiment_ids=[series], filter_string=text).traces
        return [info.trace_id for info in found]

    name = "metadata.`long`"
    assert find(f"{name} = '{'x' * 300}42'") == [f"tr-{series}-00042"]
    assert find(f"{name} = '{'x' * 256}'") == []
    assert find(f"{name} = '{'x' * 255}'") == []


def test_one_trace_is_found_by_its_id_in_few_statements(chdb_store, series):
    store = Watched(chdb_store)
    assert read_trace(store, f"tr-{series}-00042").info.user == "u42"
    # It has no spans, which would tell where it lies.
    assert len(store.statements) <= 6  # noqa: PLR2004
    selected, asked = granules_by(store.plans[-1], "by_trace_id")
    assert selected <= max(8, asked / 2)


def test_a_trace_with_spans_is_found_where_its_first_span_began(chdb_store, series):
    trace_id = f"tr-{series}-01234"
    started_ns = (1_000_000 + 1234) * 1_000_000
    given = {"trace_id": trace_id, "experiment_id": series, "version": 1}
    chdb_store.insert("spans", [SpanRow(span_id="1" * 16, start_time_ns=started_ns, **given)])
    store = Watched(chdb_store)
    assert read_trace(store, trace_id).info.trace_id == trace_id
    assert len(store.statements) == 2  # noqa: PLR2004
    assert "Granules: 1/" in store.plans[-1]
    assert "by_trace_id" not in store.plans[-1]
    store = Watched(chdb_store, asks_for_all=True)
    assert read_trace(store, trace_id).info.trace_id == trace_id
    assert len(store.statements) == 6  # noqa: PLR2004


def test_the_complement_of_what_an_index_finds_is_whole(chdb_store, series):
    ids = [f"tr-{series}-{index:05}" for index in (17, 18, 917, 4000)]
    text = "NOT metadata.tenant = 't17'"
    found = search_traces(chdb_store, trace_ids=ids, filter_string=text).traces
    assert sorted(info.trace_id for info in found) == [ids[1], ids[3]]
