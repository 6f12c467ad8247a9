"""What a start looks for, and that it reads only what reaches into its window."""

from __future__ import annotations

import re
import time

import pytest

from whence.store.connection import open_store
from whence.store.rows import DeletionRow, HeaderRow, SpanRow, TraceRow
from whence.store.unassembled import (
    HOUR_US,
    MAX_AHEAD_US,
    NEWEST,
    UNASSEMBLED,
    find_unassembled,
    read_newest_us,
)

DAY_US = 24 * HOUR_US
TABLES = ("spans", "headers", "deletions", "traces", "open_traces")


def now_us():
    return time.time_ns() // 1000


def row_of(trace_id, version):
    return TraceRow(experiment_id="0", trace_id=trace_id, request_time_ms=1, version=version)


def insert_everywhere(store, trace_id, at_us):
    store.insert("spans", [SpanRow(trace_id=trace_id, span_id="a", received_at_us=at_us)])
    store.insert("headers", [HeaderRow(trace_id=trace_id, header="{}", received_at_us=at_us)])
    store.insert(
        "deletions",
        [DeletionRow(trace_id=f"{trace_id}-d", experiment_id="0", deleted_at_us=at_us)],
    )
    store.insert("traces", [row_of(trace_id, at_us)])
    store.insert("open_traces", [row_of(f"{trace_id}-o", at_us)])


@pytest.mark.parametrize("question", [NEWEST, UNASSEMBLED])
def test_parts_that_end_before_the_window_are_not_read(store, experiment_id, question):
    insert_everywhere(store, f"tr-{experiment_id}", now_us())
    for table in TABLES:
        store.command(f"OPTIMIZE TABLE {table} FINAL")
    window = {"since_us": now_us() + 1, "latest_us": now_us() + MAX_AHEAD_US}
    plan = "\n".join(
        line for (line,) in store.query(f"EXPLAIN indexes = 1 {question}", window).rows
    )
    reads = re.findall(r"ReadFromMergeTree \(\w+\.(\w+)\)(.*?)Ranges:", plan, re.DOTALL)
    assert len(reads) >= len(TABLES) - 1, plan
    for table, text in reads:
        assert re.search(r"Statistics.*?Parts: 0/\d+", text, re.DOTALL), f"{table}: {plan}"


@pytest.mark.parametrize("age_us", [0, 2 * HOUR_US, 400 * DAY_US])
def test_the_newest_stamp_is_found_however_old_it_is(clickhouse_server_url, age_us):
    with open_store(f"{clickhouse_server_url}/newest_{age_us}") as opened:
        assert read_newest_us(opened) == 0
        newest_us = now_us() - age_us
        opened.insert("spans", [SpanRow(trace_id="t", span_id="a", received_at_us=newest_us - 5)])
        opened.insert("headers", [HeaderRow(trace_id="t", header="{}", received_at_us=newest_us)])
        assert read_newest_us(opened) == newest_us


def test_a_stamp_far_ahead_of_the_clock_is_not_taken(clickhouse_server_url):
    with open_store(f"{clickhouse_server_url}/ahead") as opened:
        ahead_us = now_us() + 2 * MAX_AHEAD_US
        opened.insert("spans", [SpanRow(trace_id="t", span_id="a", received_at_us=ahead_us)])
        assert read_newest_us(opened) == 0


def test_spans_without_their_row_and_rows_in_both_tables_are_found(store, experiment_id):
    at_us = now_us()
    lost, twice, fine = (f"tr-{experiment_id}-{name}" for name in ("lost", "twice", "fine"))
    for trace_id in (lost, twice, fine):
        store.insert("spans", [SpanRow(trace_id=trace_id, span_id="a", received_at_us=at_us)])
    for trace_id in (twice, fine):
        store.insert("traces", [row_of(trace_id, at_us + 1)])
    store.insert("open_traces", [row_of(twice, at_us)])
    found = find_unassembled(store, at_us)
    assert {lost, twice} <= found
    assert fine not in found
