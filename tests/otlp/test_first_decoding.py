"""The first requests of a process may be decoded by several threads at once."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, threading
from whence.ingest import header
from whence.otlp import json, shapes
from whence.sdk.delivery import transport

sys.setswitchinterval(1e-6)
together = threading.Barrier(8)
done = []

def decode():
    together.wait()
    json.decode_request(b'{"resourceSpans": []}')
    header.decode_header('{"trace_id": "tr-1"}')
    transport._read_answer(b"{}")
    done.append(1)

threads = [threading.Thread(target=decode, daemon=True) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(done))
"""


def test_what_threads_decode_was_compiled_at_the_import():
    """Where two of them compile a type at the same time, msgspec 0.22 crashes or waits for ever."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "8\n", done.stderr
