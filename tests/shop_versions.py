"""A program of one version, traced by the SDK: `python shop_versions.py VERSION COUNT [planted]`.

Times are given, so that 200 traces take no time. Planted: the step `rerank` takes 60 ms in place of
5, and a third of the orders are not found.
"""

from __future__ import annotations

import random
import sys
import time

import whence

MS = 1_000_000


def record(draw: random.Random, *, planted: bool) -> None:
    """Record one trace of a chat, which ends now."""
    rerank_ms = (60 if planted else 5) * draw.lognormvariate(0, 0.2)
    answer_ms = 40 * draw.lognormvariate(0, 0.3)
    began = time.time_ns() - int((rerank_ms + answer_ms) * MS)
    root = whence.start_span_no_context(
        "chat", inputs={"question": "where is my order?"}, start_time_ns=began
    )
    step = whence.start_span_no_context("rerank", parent_span=root, start_time_ns=began)
    step.end(end_time_ns=began + int(rerank_ms * MS))
    if draw.random() < (0.33 if planted else 0.01):
        root.set_status("ERROR")
    root.end(end_time_ns=began + int((rerank_ms + answer_ms) * MS))


def main(version: str, count: int, *, planted: bool) -> None:
    """Record traces of a version."""
    whence.configure(app_version=version, environment="production")
    draw = random.Random(version)
    for _ in range(count):
        record(draw, planted=planted)
    whence.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), planted="planted" in sys.argv[3:])
