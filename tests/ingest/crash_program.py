"""What the kill test runs in processes of its own: `write` ingests and is killed, `read` looks.

`write DIRECTORY` prints a line `TRACE SPAN…` for each request that was acknowledged. `read
DIRECTORY` opens the store again (which repairs it) and prints what it finds as JSON.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading

from whence.ingest.ingestor import Ingestor
from whence.otlp.records import Resource, ResourceSpans, SpanRecord
from whence.store.connection import open_store


def write(directory: str) -> None:
    """Ingest until killed: 8 threads, traces whose root comes last, one request a span."""
    with open_store(directory) as store, Ingestor(store) as ingestor:
        threads = [threading.Thread(target=_send, args=(ingestor,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _send(ingestor: Ingestor) -> None:
    while True:
        trace = os.urandom(16).hex()
        spans = [os.urandom(8).hex() for _ in range(random.randint(1, 4))]
        for span in reversed(spans):
            record = SpanRecord(
                trace_id=trace,
                span_id=span,
                parent_id=None if span == spans[0] else spans[0],
                name="step",
                start_time_ns=1_790_000_000_000_000_000,
                end_time_ns=1_790_000_000_001_000_000,
                attributes={"whence.metadata.app_version": "1"},
            )
            ingestor.submit([ResourceSpans(Resource({}), [record])]).result()
            line = f"{trace} {span} {int(span == spans[0])}\n"
            os.write(1, line.encode())


def read(directory: str) -> None:
    """Print spans by trace, and every trace's row, from both tables."""
    with open_store(directory) as store, Ingestor(store):
        spans = store.query("SELECT trace_id, span_id FROM spans FINAL").rows
        rows = store.query(
            "SELECT trace_id, state, span_count, 1 FROM traces FINAL "
            "UNION ALL SELECT trace_id, state, span_count, 0 FROM open_traces FINAL"
        ).rows
        json.dump({"spans": spans, "rows": rows}, sys.stdout)


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](sys.argv[2])
