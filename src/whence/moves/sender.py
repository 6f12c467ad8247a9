"""Sending traces to a Whence server: batches, a few at a time, each durable before it counts.

A batch is one `POST /api/v1/traces/import`. A busy server is asked again after as long as it says.
A batch that the server refuses is sent in halves, down to the one trace that it is about; of that
the head goes first, then its spans in halves, down to the one that can't be sent. Memory is bounded
by `UNDER_WAY` batches of about `BATCH_BYTES`, or one trace that is larger.

What becomes of a batch is counted, reported and noted in the checkpoint at once, in the order of
reading: so a run that goes on knows what the one before it did. Sending the same again changes
nothing: spans are known by their ids, headers and assessments too.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from whence.entities.surrogates import clean
from whence.errors import InvalidInputError, PayloadTooLargeError, WhenceError
from whence.moves.asking import ask_again
from whence.moves.cuts import list_cuts
from whence.moves.report import Loss
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


class _Batch(msgspec.Struct):
    """Traces to be sent together, and what of the source between them could not be read."""

    traces: list[MovedTrace] = []
    losses: list[Loss] = []
    read: int = 0  # how many the bar advances
    size_bytes: int = 0


class _Outcome(msgspec.Struct):
    """What became of traces: which are stored, with how much, and what is not."""

    stored: dict[str, bool] = {}  # id → whether more of the same trace may come
    spans: int = 0
    assessments: int = 0
    losses: list[Loss] = []

    def add(self, other: _Outcome) -> None:
        self.stored.update(other.stored)
        self.spans += other.spans
        self.assessments += other.assessments
        self.losses += other.losses


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
        self._parts: set[str] = set()  # traces of which a part was stored
        self._stop = threading.Event()

    def send_all(self, found: Iterable[MovedTrace | Unreadable]) -> None:
        """Send everything; what can't be sent is in the report.

        Raises UnavailableError where the server stays away.
        """
        under_way: deque[tuple[_Batch, Future[_Outcome]]] = deque()
        pool = ThreadPoolExecutor(SENDERS, thread_name_prefix="whence-sender")
        try:
            for batch in _batches(found):
                under_way.append((batch, pool.submit(self._send, batch.traces)))
                while len(under_way) >= UNDER_WAY:
                    self._settle(*under_way.popleft())
            while under_way:
                self._settle(*under_way.popleft())
        finally:
            self._stop.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _settle(self, batch: _Batch, sent: Future[_Outcome]) -> None:
        """Count what became of a batch; everything before it is counted already."""
        outcome = sent.result()
        for loss in (*batch.losses, *outcome.losses):
            self._report.lose(loss.where, loss.reason)
        fresh = [one for one in outcome.stored if one not in self._parts]
        self._parts.update(one for one, is_part in outcome.stored.items() if is_part)
        self._report.count(traces=len(fresh), spans=outcome.spans, assessments=outcome.assessments)
        self._advance(batch.read)
        if self._checkpoint is not None:
            places = {part: at for one in batch.traces for part, at in (one.place or {}).items()}
            self._checkpoint.reach(places, list(outcome.stored), self._report.counts)

    def _send(self, traces: list[MovedTrace]) -> _Outcome:
        if not traces:
            return _Outcome()
        try:
            answer = self._post(traces)
        except (InvalidInputError, PayloadTooLargeError) as error:
            return self._send_less(traces, error)
        refused = {one["trace_id"] for one in answer["refused"] if one["whole"]}
        stored = [one for one in traces if clean(one.trace_id) not in refused]
        judged = sum(len(one.assessments) for one in stored)
        cuts = [Loss(one.trace_id, reason) for one in stored for reason in list_cuts(one)]
        return _Outcome(
            {one.trace_id: one.is_part for one in stored},
            spans=answer["spans"],
            assessments=judged - sum(not one["whole"] for one in answer["refused"]),
            losses=[*_read_losses(answer, traces), *cuts],
        )

    def _send_less(self, traces: list[MovedTrace], error: WhenceError) -> _Outcome:
        if len(traces) == 1:
            trace = traces[0]
            if not trace.spans:
                return _Outcome(losses=[Loss(trace.trace_id, error.message)])
            return self._send_apart(trace)
        half = len(traces) // 2
        outcome = self._send(traces[:half])
        outcome.add(self._send(traces[half:]))
        return outcome

    def _send_apart(self, trace: MovedTrace) -> _Outcome:
        """Send a trace that can't go whole: its head, then its spans in halves."""
        outcome = self._send([msgspec.structs.replace(trace, spans=[])])
        if trace.trace_id in outcome.stored:
            bare = MovedTrace(
                trace_id=trace.trace_id,
                experiment=trace.experiment,
                resource=trace.resource,
                spans=trace.spans,
            )
            self._send_halves(bare, outcome)
        return outcome

    def _send_halves(self, trace: MovedTrace, outcome: _Outcome) -> None:
        """Send the spans of a trace whose head is stored; add what became of them."""
        half = len(trace.spans) // 2
        for spans in (trace.spans[:half], trace.spans[half:]):
            if not spans:
                continue
            part = msgspec.structs.replace(trace, spans=spans)
            try:
                answer = self._post([part])
            except (InvalidInputError, PayloadTooLargeError) as error:
                if len(spans) > 1:
                    self._send_halves(part, outcome)
                else:
                    where = f"{trace.trace_id} span {spans[0].span_id}"
                    outcome.losses.append(Loss(where, error.message))
                continue
            outcome.spans += answer["spans"]
            outcome.losses += _read_losses(answer, [part])

    def _post(self, traces: list[MovedTrace]) -> Any:
        ask = partial(self._client.call, "POST", "/traces/import", body=write_body(traces))
        return ask_again(ask, self._stop)


def _batches(found: Iterable[MovedTrace | Unreadable]) -> Iterable[_Batch]:
    batch = _Batch()
    for one in found:
        batch.read += 1
        if isinstance(one, Unreadable):
            batch.losses.append(Loss(one.where, one.reason))
        else:
            batch.losses += [Loss(one.trace_id, problem) for problem in one.problems]
            batch.traces.append(one)
            batch.size_bytes += one.size_bytes
        if batch.read >= BATCH_TRACES or batch.size_bytes >= BATCH_BYTES:
            yield batch
            batch = _Batch()
    if batch.read:
        yield batch


def _read_losses(answer: dict[str, Any], traces: list[MovedTrace]) -> list[Loss]:
    """Return what a request's answer says was not stored, of traces and of their spans."""
    losses = [Loss(one["trace_id"], one["reason"]) for one in answer["refused"]]
    if answer["message"]:
        first, last = traces[0].trace_id, traces[-1].trace_id
        where = first if first == last else f"{first} to {last}"
        losses.append(Loss(where, f"of the spans: {answer['message']}"))
    return losses


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
