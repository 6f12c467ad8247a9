"""`traces` lies in small pieces, so that rows far apart are read at little cost; old parts too."""

from __future__ import annotations

import time

from tests.query.rows import trace, trace_row

from whence.store import migrations
from whence.store.connection import open_store
from whence.store.migrations import read_migrations, split_statements
from whence.store.traces import read_traces

KNOWN = read_migrations()
STEP = next(step for step in KNOWN if step.name == "sparse_pages")
ROWS = 500
GRANULE = 64
REWRITTEN_WITHIN_S = 30

PARTS = """\
SELECT sum(rows), sum(marks)
FROM system.parts
WHERE active AND database = currentDatabase() AND table = 'traces'
"""
UNDER_WAY = """\
SELECT count()
FROM system.mutations
WHERE database = currentDatabase() AND table = 'traces' AND NOT is_done
"""


def make_rows():
    return [
        trace_row(trace(f"tr-layout-{number:03}", request_time_ms=number), "774290")
        for number in range(ROWS)
    ]


def read_size(store):
    """Return rows and marks, once no part is being written anew."""
    deadline = time.monotonic() + REWRITTEN_WITHIN_S
    while store.query(UNDER_WAY).rows[0][0] and time.monotonic() < deadline:
        time.sleep(0.02)
    return store.query(PARTS).rows[0]


def test_a_store_from_before_keeps_its_traces_however_often_the_step_is_broken_off(
    clickhouse_server_url, monkeypatch
):
    url = f"{clickhouse_server_url}/before_sparse_pages"
    rows = make_rows()
    statements = split_statements(STEP.sql)
    with monkeypatch.context() as patched:
        before = [one for one in KNOWN if one.number < STEP.number]
        patched.setattr(migrations, "read_migrations", lambda: before)
        with open_store(url) as store:
            store.insert("traces", rows)
            former = read_size(store)
            for done in range(len(statements) + 1):
                for statement in statements[:done]:
                    store.command(statement)
    with open_store(url) as store:
        assert store.query("EXISTS TABLE traces_of_step_12").rows == [(0,)]
        count, marks = read_size(store)
        assert (count, former[0]) == (ROWS, ROWS)
        assert marks >= ROWS // GRANULE > former[1]
        found = read_traces(store, [row.trace_id for row in rows])
    assert sorted(found, key=lambda row: row.trace_id) == rows
