"""Sending traces to a Whence server: batches, a few at a time, each durable before it counts.

A batch is one `POST /api/v1/traces/import`. A busy server is asked again after as long as it says.
A batch that the server refuses is sent in halves, down to the one trace that it is about, which is
noted in the report; a trace that is too large alone goes in several requests. Memory is bounded by
`UNDER_WAY` batches of about `BATCH_BYTES`, or one trace that is larger.

Sending the same again changes nothing: spans are known by their ids, headers and assessments too.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from whence.errors import InvalidInputError, PayloadTooLargeError
from whence.moves.asking import ask_again
from whence.moves.trace import MovedTrace, Unreadable, digits_of
from whence.otlp.json import encode_request
from whence.otlp.records import Resource, ResourceSpans
from whence.semconv import EXPERIMENT_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from whence.moves.checkpoint import Checkpoint
    from whence.moves.report import Report
    from whence.sdk.reading.client import Client

BATCH_TRACES = 250
BATCH_BYTES = 4_000_000
SENDERS = 2
UNDER_WAY = 3
_Batch = list[MovedTrace]


class Sender:
    """Sends what a reader yields. `advance` is told how many traces were dealt with."""

    def __init__(
        self,
        client: Client,
        report: Report,
        *,
        checkpoint: Checkpoint | None = None,
        advance: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._report = report
        self._checkpoint = checkpoint
        self._advance = advance
        self._parts: set[str] = set()  # traces of which a part was sent
        self._counting = threading.Lock()

    def send_all(self, found: Iterable[MovedTrace | Unreadable]) -> None:
        """Send everything; what can't be sent is in the report.

        Raises UnavailableError where the server stays away.
        """
        under_way: deque[tuple[_Batch, Future[None]]] = deque()
        pool = ThreadPoolExecutor(SENDERS, thread_name_prefix="whence-sender")
        try:
            for batch in self._batches(found):
                under_way.append((batch, pool.submit(self._send, batch)))
                while len(under_way) >= UNDER_WAY:
                    self._settle(*under_way.popleft())
            while under_way:
                self._settle(*under_way.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            if self._checkpoint is not None:
                self._checkpoint.save()

    def _batches(self, found: Iterable[MovedTrace | Unreadable]) -> Iterable[_Batch]:
        batch: _Batch = []
        size_bytes = 0
        for one in found:
            if isinstance(one, Unreadable):
                self._report.lose(one.where, one.reason)
                self._advance(1)
                continue
            for problem in one.problems:
                self._report.lose(one.trace_id, problem)
            batch.append(one)
            size_bytes += one.size_bytes
            if len(batch) >= BATCH_TRACES or size_bytes >= BATCH_BYTES:
                yield batch
                batch, size_bytes = [], 0
        if batch:
            yield batch

    def _settle(self, batch: _Batch, sent: Future[None]) -> None:
        sent.result()
        self._advance(len(batch))
        if self._checkpoint is None:
            return
        reached = {part: (place, one) for one in batch for part, place in (one.place or {}).items()}
        for part, (place, one) in reached.items():
            self._checkpoint.reach(part, place, one.trace_id, self._report.summary())

    def _send(self, batch: _Batch) -> None:
        try:
            answer = self._post(batch)
        except (InvalidInputError, PayloadTooLargeError) as error:
            if len(batch) > 1:
                half = len(batch) // 2
                self._send(batch[:half])
                self._send(batch[half:])
            elif isinstance(error, PayloadTooLargeError) and len(batch[0].spans) > 1:
                self._send_parts(batch[0])
            else:
                self._report.lose(batch[0].trace_id, error.message)
            return
        for refused in answer["refused"]:
            self._report.lose(refused["trace_id"], refused["reason"])
        self._report.count(
            traces=answer["traces"] - self._count_again(batch),
            spans=answer["spans"],
            assessments=sum(len(one.assessments) for one in batch),
        )

    def _count_again(self, batch: _Batch) -> int:
        """Return how many of these are further parts of traces that were counted."""
        again = 0
        with self._counting:
            for one in batch:
                if one.is_part:
                    again += one.trace_id in self._parts
                    self._parts.add(one.trace_id)
        return again

    def _send_parts(self, trace: MovedTrace) -> None:
        """Send a trace that is too large in halves of its spans, the header with each."""
        half = len(trace.spans) // 2
        for number, spans in enumerate((trace.spans[:half], trace.spans[half:])):
            part = msgspec.structs.replace(trace, spans=spans)
            before = self._report.traces
            self._send([part])
            if number:  # it is one trace
                self._report.count(traces=before - self._report.traces)

    def _post(self, batch: _Batch) -> Any:
        body = write_body(batch)
        return ask_again(partial(self._client.call, "POST", "/traces/import", body=body))


def write_body(batch: Iterable[MovedTrace]) -> dict[str, Any]:
    """Return the body of a request."""
    traces, trace_ids = [], {}
    groups: list[ResourceSpans] = []
    plain: dict[str | None, ResourceSpans] = {}  # of traces that share nothing but the experiment
    for one in batch:
        header = {
            "trace_id": one.trace_id,
            "experiment_id": one.experiment_id,
            "request_time_ms": one.request_time_ms,
            "duration_ns": one.duration_ns,
            "state": one.state,
            "client_request_id": one.client_request_id,
            "request_preview": one.request_preview,
            "response_preview": one.response_preview,
            "trace_metadata": one.metadata,
            "tags": one.tags,
            "assessments": one.assessments,
        }
        traces.append(header)
        digits = digits_of(one.trace_id)
        if not one.trace_id.endswith(digits):
            trace_ids[digits] = one.trace_id
        if not one.resource and one.experiment_id in plain:
            plain[one.experiment_id].spans.extend(one.spans)
        elif one.spans:
            named = {} if one.experiment_id is None else {EXPERIMENT_ID: one.experiment_id}
            group = ResourceSpans(Resource({**one.resource, **named}), list(one.spans))
            groups.append(group)
            if not one.resource:
                plain[one.experiment_id] = group
    spans = msgspec.Raw(encode_request(groups))
    return {"traces": traces, "spans": spans, "trace_ids": trace_ids}
