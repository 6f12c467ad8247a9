"""Imports beside what else is written at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ingest.wire import new_trace_hex
from whence.errors import UnavailableError
from whence.ingest.header import Header
from whence.query.views import read_infos

ROUNDS = 20


def moved(trace_id, experiment_id, **fields):
    return Header(trace_id=trace_id, experiment_id=experiment_id, state="OK", **fields)


def test_a_tag_that_is_set_while_an_import_runs_is_not_lost(ingestor, store, experiment_id):
    trace_id = f"tr-{new_trace_hex()}"
    ingestor.submit_moved([moved(trace_id, experiment_id, tags={"t": "there"})]).result(30)
    with ThreadPoolExecutor(2) as threads:
        for number in range(ROUNDS):
            set_ = threads.submit(ingestor.set_tags, trace_id, {"t": f"here {number}"})
            again = moved(trace_id, experiment_id, tags={"t": f"there {number}"})
            come = threads.submit(ingestor.submit_moved, [again])
            set_.result(30)
            come.result(30).result(30)
            assert read_infos(store, [trace_id])[0].tags["t"] == f"here {number}"


@pytest.mark.parametrize(
    "fields",
    [
        {"tags": {"t": "x" * 300_000}},
        {"request_preview": "x" * 300_000},
        {"assessments": [{"assessment_name": "a", "feedback": {"value": "x" * 300_000}}]},
    ],
)
def test_all_that_an_import_says_counts_in_the_queue(own_ingestor, experiment_id, fields):
    ingestor = own_ingestor(max_queue_bytes=1 << 20)
    waiting = []

    def fill():
        for _ in range(50):
            header = moved(f"tr-{new_trace_hex()}", experiment_id, **fields)
            waiting.append(ingestor.submit_moved([header]))

    with pytest.raises(UnavailableError, match="send more slowly"):
        fill()
    for one in waiting:
        assert one.result(30) == []
