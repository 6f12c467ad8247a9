"""Traces of a Whence server, written to an MLflow server, so that nobody is locked in.

Spans go as OTLP/protobuf with the experiment's header (from OTLP/JSON, MLflow 3.17 loses links),
then a head for each trace by `POST /api/3.0/mlflow/traces`, with its tags and assessments, which
keep their ids and times. An assessment that overrides another is posted by itself, which is how
MLflow makes the other invalid. Writing the same again doubles nothing, but overwrites what was
edited there of heads.

What MLflow has no place for: resources of spans, and spans of a trace whose id is not `tr-` and 32
hex digits; the latter are named in the report. Conflicts, provenance and stored documents stay.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from whence import semconv
from whence.entities.rest import span_from_api
from whence.entities.timestamp import format_timestamp
from whence.errors import InvalidInputError, NotFoundError, WhenceError
from whence.moves.mlflow.server import ENDING, V2, V3, MlflowServer
from whence.moves.trace import TRACE_ID_PREFIX, clamp_ns, digits_of
from whence.otlp.json import PROTOBUF_TYPE
from whence.otlp.protobuf import encode_request
from whence.otlp.records import (
    KIND_INTERNAL,
    KIND_NAMES,
    STATUS_NAMES,
    Event,
    Link,
    Resource,
    ResourceSpans,
    SpanRecord,
)
from whence.sdk.reading.http import path_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from whence.entities.experiment import Experiment
    from whence.entities.span import Span
    from whence.moves.report import Report

WRITERS = 4
MAX_BATCH_BYTES = 4_000_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
_Answer = dict[str, Any]


class Writer:
    """Writes traces, in the JSON of Whence's API, to one MLflow server."""

    def __init__(self, server: MlflowServer, report: Report) -> None:
        """Nothing is asked yet."""
        self._server = server
        self._report = report
        self._experiments: dict[str, str] = {}  # ids here → ids there

    def make_experiment(self, experiment: Experiment) -> None:
        """Find an experiment by its name or make it, and set the tags it lacks."""
        query = {"experiment_name": experiment.name}
        try:
            path = f"{V2}/experiments/get-by-name"
            found = self._server.ask("GET", path, query=query)["experiment"]
        except NotFoundError as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise InvalidInputError(
                    f"no MLflow server answers at {self._server.address}"
                ) from None
            path = f"{V2}/experiments/create"
            found = self._server.ask("POST", path, body={"name": experiment.name})
        if found.get("lifecycle_stage") == "deleted":
            raise InvalidInputError(
                f"the experiment {experiment.name!r} was deleted there: restore it first"
            )
        self._experiments[experiment.experiment_id] = found["experiment_id"]
        known = {one["key"]: one.get("value") for one in found.get("tags") or ()}
        for key, value in experiment.tags.items():
            if known.get(key) != value:
                body = {"experiment_id": found["experiment_id"], "key": key, "value": value}
                self._server.ask("POST", f"{V2}/experiments/set-experiment-tag", body=body)

    def write(self, answers: list[_Answer]) -> list[str]:
        """Write traces and return their ids; what could not be written is in the report."""
        ids = [one["info"]["trace_id"] for one in answers]
        body = {"trace_ids": ids}
        known = self._server.ask("POST", f"{V3}/traces/batchGetInfos", body=body)
        there = {
            info["trace_id"]: {one["assessment_id"] for one in info.get("assessments") or ()}
            for info in known.get("trace_infos") or ()
        }
        by_experiment: dict[str, list[_Answer]] = {}
        for one in answers:
            by_experiment.setdefault(one["info"]["experiment_id"], []).append(one)
        for experiment_id, traces in by_experiment.items():
            self._write_spans(traces, self._experiments[experiment_id])

        def write(answer: _Answer) -> bool:
            return self._write_head(answer, there.get(answer["info"]["trace_id"], set()))

        pool = ThreadPoolExecutor(WRITERS, thread_name_prefix="whence-writer")
        try:
            written = list(pool.map(write, answers))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return [one for one, is_there in zip(ids, written, strict=True) if is_there]

    def _write_spans(self, answers: list[_Answer], experiment_id: str) -> None:
        """Send the spans of traces, in halves where that is too much or one is refused."""
        spans: list[SpanRecord] = []
        for one in answers:
            trace_id = one["info"]["trace_id"]
            if trace_id == TRACE_ID_PREFIX + digits_of(trace_id):
                spans += [make_record(span_from_api(span), trace_id) for span in one["spans"]]
            elif one["spans"]:
                self._report.lose(
                    trace_id, "its spans: MLflow keeps none where the id is not tr- and 32 digits"
                )
        self._post_spans(spans, experiment_id)

    def _post_spans(self, spans: list[SpanRecord], experiment_id: str) -> None:
        if not spans:
            return
        body = encode_request([ResourceSpans(Resource(), spans)])
        problem = "too large"
        if len(body) <= MAX_BATCH_BYTES or len(spans) == 1:
            problem = self._post(body, experiment_id)
        if not problem:
            self._report.count(spans=len(spans))
        elif len(spans) == 1:
            where = f"{TRACE_ID_PREFIX}{spans[0].trace_id} span {spans[0].span_id}"
            self._report.lose(where, problem)
        else:
            half = len(spans) // 2
            self._post_spans(spans[:half], experiment_id)
            self._post_spans(spans[half:], experiment_id)

    def _post(self, body: bytes, experiment_id: str) -> str:
        """Send spans; return why they were refused, or ''."""
        headers = {semconv.EXPERIMENT_HEADER: experiment_id, "Content-Type": PROTOBUF_TYPE}
        try:
            self._server.fetch("POST", "/v1/traces", body=body, headers=headers)
        except ENDING:
            raise
        except WhenceError as error:
            return error.message
        return ""

    def _write_head(self, answer: _Answer, there: set[str]) -> bool:
        """Write a trace without its spans; False where that was refused."""
        info = answer["info"]
        judged = sorted(info["assessments"], key=lambda one: one.get("create_time") or "")
        fresh = [one for one in judged if one["assessment_id"] not in there]
        first = [one for one in fresh if not one.get("overrides")]
        head = write_head(info, self._experiments[info["experiment_id"]], len(answer["spans"]))
        head["assessments"] = first
        try:
            body = {"trace": {"trace_info": head}}
            self._server.ask("POST", f"{V3}/traces", body=body)
        except ENDING:
            raise
        except WhenceError as error:
            self._report.lose(info["trace_id"], error.message)
            return False
        written = len(first)
        for one in fresh:
            if one.get("overrides"):
                written += self._write_override(info["trace_id"], one)
        self._report.count(traces=1, assessments=written)
        return True

    def _write_override(self, trace_id: str, assessment: dict[str, Any]) -> int:
        path = f"{V3}/traces{path_of(trace_id, 'assessments')}"
        try:
            self._server.ask("POST", path, body={"assessment": assessment})
        except ENDING:
            raise
        except WhenceError as error:
            self._report.lose(f"{trace_id} {assessment['assessment_id']}", error.message)
            return 0
        return 1


def write_head(info: dict[str, Any], experiment_id: str, span_count: int) -> dict[str, Any]:
    """Return a trace without its spans in MLflow's JSON."""
    location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}}
    tags = {k: v for k, v in info["tags"].items() if k not in semconv.SERVER_TAGS}
    if info.get("name") is not None:
        tags.setdefault(semconv.TRACE_NAME_TAG, info["name"])
    metadata = dict(info["trace_metadata"])
    if _count_stated(metadata) > span_count:  # MLflow would wait for the others, and hide the trace
        metadata.pop(semconv.SIZE_STATS)
    head: dict[str, Any] = {
        "trace_id": info["trace_id"],
        "trace_location": location,
        "request_time": format_timestamp(info["request_time_ms"]),
        "state": info["state"],
        "trace_metadata": metadata,
        "tags": tags,
    }
    if info.get("duration_ns") is not None:
        seconds, rest = divmod(info["duration_ns"], NS_PER_S)
        head["execution_duration"] = f"{seconds}.{rest:09d}s"
    for name in ("client_request_id", "request_preview", "response_preview"):
        if info.get(name) is not None:
            head[name] = info[name]
    return head


def make_record(span: Span, trace_id: str) -> SpanRecord:
    """Return a stored span as OTLP has it, with MLflow's reserved attributes."""
    return SpanRecord(
        trace_id=digits_of(trace_id),
        span_id=span.span_id,
        parent_id=span.parent_id,
        name=span.name,
        kind=KIND_NAMES.index(span.kind) if span.kind in KIND_NAMES else KIND_INTERNAL,
        start_time_ns=clamp_ns(span.start_time_ns),
        end_time_ns=clamp_ns(span.end_time_ns or 0),
        status=STATUS_NAMES.index(span.status.status_code.value),
        status_message=span.status.description,
        attributes=span.attributes,
        events=[
            Event(one.name, clamp_ns(one.timestamp), dict(one.attributes or {}))
            for one in span.events
        ],
        links=[
            Link(digits_of(one.trace_id), one.span_id, dict(one.attributes or {}))
            for one in span.links
        ],
    )


def pages_of(answers: Iterable[_Answer], size: int) -> Iterable[list[_Answer]]:
    """Yield lists of so many."""
    page: list[_Answer] = []
    for one in answers:
        page.append(one)
        if len(page) >= size:
            yield page
            page = []
    if page:
        yield page


def _count_stated(metadata: dict[str, str]) -> int:
    try:
        return int(json.loads(metadata[semconv.SIZE_STATS])["num_spans"])
    except (KeyError, TypeError, ValueError):
        return 0
