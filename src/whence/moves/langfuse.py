"""Langfuse's exports as traces: one table says what becomes of each field.

Read are the forms of its API (`camelCase`: traces, with or without their observations and scores
inside) and of its exports (`snake_case`: files of traces, observations, enriched observations and
scores), in any mixture and order: what belongs together is put together by the server. Nothing but
ids is held in memory from one row to the next.

A trace of Langfuse has neither a state nor a root: its observations without a parent are the roots.
An id of 32 hex digits is OpenTelemetry's and becomes `tr-…`; any other stays as it is. The ids of
observations become 16 hex digits, and stay as they are in `langfuse.observation.id`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from whence import semconv
from whence.entities.timestamp import format_timestamp
from whence.errors import InvalidInputError
from whence.moves.trace import (
    OVERHEAD_BYTES,
    Found,
    MovedTrace,
    Unreadable,
    digits_of,
    own_id_of,
    span_digits_of,
)
from whence.moves.values import (
    NS_PER_MS,
    decode_cell,
    read_number,
    read_text,
    read_texts,
    read_time_ns,
)
from whence.otlp.records import STATUS_ERROR, STATUS_OK, SpanRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from whence.moves.rows import Row

# --- The mapping ------------------------------------------------------------------------------
# Fields in camelCase; in snake_case they are the same words. The first one present wins.
TRACE_TEXTS: dict[str, tuple[str, ...]] = {  # field of our trace → theirs
    "request_preview": ("input",),
    "response_preview": ("output",),
}
TRACE_METADATA: dict[str, tuple[str, ...]] = {  # metadata key → theirs
    semconv.SESSION: ("sessionId",),
    semconv.TRACE_USER: ("userId",),
    semconv.APP_VERSION: ("release", "version"),
    semconv.ENVIRONMENT: ("environment",),
    "langfuse.version": ("version",),
    "langfuse.public": ("public",),
    "langfuse.external_id": ("externalId",),
}
ATTRIBUTES: dict[str, tuple[str, ...]] = {  # attribute of the span → field of the observation
    semconv.MLFLOW_INPUTS: ("input",),
    semconv.MLFLOW_OUTPUTS: ("output",),
    semconv.LLM_MODEL: ("model", "providedModelName"),
    "langfuse.observation.id": ("id",),
    "langfuse.observation.type": ("type",),
    "langfuse.observation.level": ("level",),
    "langfuse.observation.metadata": ("metadata",),
    "langfuse.observation.model.parameters": ("modelParameters",),
    "langfuse.observation.prompt.name": ("promptName",),
    "langfuse.observation.prompt.version": ("promptVersion",),
    "langfuse.observation.completion_start_time": ("completionStartTime",),
    "langfuse.observation.tool_calls": ("toolCalls",),
    "langfuse.observation.tool_definitions": ("toolDefinitions",),
    "langfuse.version": ("version",),
    "langfuse.environment": ("environment",),
}
SPAN_TYPES: dict[str, str] = {
    "GENERATION": "CHAT_MODEL",
    "EMBEDDING": "EMBEDDING",
    "AGENT": "AGENT",
    "TOOL": "TOOL",
    "CHAIN": "CHAIN",
    "RETRIEVER": "RETRIEVER",
    "EVALUATOR": "EVALUATOR",
    "GUARDRAIL": "GUARDRAIL",
}
TOKENS: dict[str, tuple[str, ...]] = {  # key of the usage → theirs, in usageDetails or usage
    "input_tokens": ("input", "input_tokens", "prompt_tokens", "promptTokens"),
    "output_tokens": ("output", "output_tokens", "completion_tokens", "completionTokens"),
    "total_tokens": ("total", "total_tokens", "totalTokens"),
    "cache_read_input_tokens": ("input_cached_tokens", "cache_read_input_tokens"),
    "cache_creation_input_tokens": ("input_cache_creation", "cache_creation_input_tokens"),
}
COSTS: dict[str, tuple[str, ...]] = {
    "input_cost": ("input",),
    "output_cost": ("output",),
    "total_cost": ("total",),
}
TEXT_SCORES = (
    "CATEGORICAL",
    "TEXT",
    "CORRECTION",
)  # what they say is text; `value` is a code of it
FALSE_TEXTS = ("0", "0.0", "false")
SOURCES: dict[str, str] = {"ANNOTATION": "HUMAN", "EVAL": "LLM_JUDGE", "API": "CODE"}

# Of an enriched observation: what it says of its trace.
ENRICHED: dict[str, tuple[str, ...]] = {
    semconv.SESSION: ("sessionId",),
    semconv.TRACE_USER: ("userId",),
    semconv.APP_VERSION: ("release",),
}


class Reader:
    """Makes traces of rows. `experiment` is what they come into."""

    def __init__(self, experiment: str) -> None:
        self._experiment = experiment
        self._with_spans: set[str] = set()
        self._without: dict[str, None] = {}

    def read(self, rows: Iterable[tuple[str, Row] | Unreadable]) -> Iterator[Found]:
        """Yield traces, or parts of them: the server puts them together."""
        for one in rows:
            if isinstance(one, Unreadable):
                yield one
                continue
            place, row = one
            try:
                yield from self._read_row(_Fields(row))
            except InvalidInputError as error:
                yield Unreadable(place, error.message)
        for trace_id in self._without:
            if trace_id not in self._with_spans:  # nothing of it will ever end
                yield self._make(trace_id, state="OK")

    def _read_row(self, row: _Fields) -> Iterator[Found]:
        if row.has("dataType", "stringValue") or (row.has("traceId") and row.has("value")):
            yield self._read_score(row)
        elif row.has("traceId") or row.has("startTime"):
            yield self._read_observation(row)
        elif row.has("id"):
            yield from self._read_trace(row)
        else:
            raise InvalidInputError("it is no trace, no observation and no score: it has no id")

    def _make(self, trace_id: str, **given: Any) -> MovedTrace:
        return MovedTrace(trace_id=trace_id, experiment=self._experiment, is_part=True, **given)

    def _read_trace(self, row: _Fields) -> Iterator[Found]:
        trace_id = _read_id(row, "id")
        trace = self._make(trace_id)
        start_ns = read_time_ns(row.first(("timestamp", "createdAt")))
        trace.request_time_ms = None if start_ns is None else start_ns // NS_PER_MS
        for field, names in TRACE_TEXTS.items():
            setattr(trace, field, _shorten(read_text(row.first(names))))
        given = read_texts(decode_cell(row.first(("metadata",))))
        trace.metadata = {**_of_trace(row, TRACE_METADATA), **given}
        trace.tags = _read_tags(decode_cell(row.first(("tags",))))
        name = read_text(row.first(("name",)))
        if name is not None:
            trace.tags[semconv.TRACE_NAME_TAG] = name
        self._without[trace_id] = None
        observations, scores = row.rows("observations"), row.rows("scores")
        for one in observations:
            self._add(trace, lambda one=one: self._read_observation(one, trace_id).spans)
        for one in scores:
            try:
                trace.assessments += self._read_score(one, trace_id).assessments
            except InvalidInputError as error:  # noqa: PERF203 - free where nothing is raised
                trace.problems.append(f"a score: {error.message}")
        tops = [span for span in trace.spans if span.parent_id is None]
        if len(tops) > 1:
            end_ns = max(span.end_time_ns for span in trace.spans)
            trace.duration_ns = max(0, end_ns - min(span.start_time_ns for span in tops))
        trace.size_bytes = OVERHEAD_BYTES * (1 + len(trace.spans)) + row.weigh()
        yield trace

    def _add(self, trace: MovedTrace, read: Any) -> None:
        try:
            trace.spans += read()
        except InvalidInputError as error:
            trace.problems.append(f"an observation: {error.message}")

    def _read_observation(self, row: _Fields, of: str | None = None) -> MovedTrace:
        trace_id = of or _read_id(row, "traceId")
        start_ns = read_time_ns(row.first(("startTime",)))
        if start_ns is None:
            raise InvalidInputError(f"observation {row.first(('id',))!r} has no startTime")
        end_ns = read_time_ns(row.first(("endTime",)))
        level = row.first(("level",))
        parent_id = row.first(("parentObservationId",))
        record = SpanRecord(
            trace_id=digits_of(trace_id),
            span_id=span_digits_of(_need(row, "id")),
            parent_id=span_digits_of(str(parent_id)) if parent_id else None,
            name=read_text(row.first(("name",))) or str(row.first(("type",)) or "span").lower(),
            start_time_ns=start_ns,
            end_time_ns=max(start_ns if end_ns is None else end_ns, start_ns),
            status=STATUS_ERROR if level == "ERROR" else STATUS_OK,
            status_message=read_text(row.first(("statusMessage",))) or "",
            attributes=_read_attributes(row),
        )
        self._with_spans.add(trace_id)
        trace = self._make(trace_id, spans=[record], metadata=_of_trace(row, ENRICHED))
        name = read_text(row.first(("traceName",)))
        if name is not None:
            trace.tags = {semconv.TRACE_NAME_TAG: name}
        trace.size_bytes = OVERHEAD_BYTES + row.weigh()
        return trace

    def _read_score(self, row: _Fields, of: str | None = None) -> MovedTrace:
        trace_id = of or _read_id(row, "traceId")
        span_id = row.first(("observationId",))
        made_ns = read_time_ns(row.first(("timestamp", "createdAt")))
        changed_ns = read_time_ns(row.first(("updatedAt",))) or made_ns
        source = str(row.first(("source",)) or "API")
        assessment = {
            "assessment_id": read_text(row.first(("id",))),
            "assessment_name": read_text(row.first(("name",))) or "score",
            "source": {
                "source_type": SOURCES.get(source.upper(), "SOURCE_TYPE_UNSPECIFIED"),
                "source_id": read_text(row.first(("authorUserId",))) or "langfuse",
            },
            "feedback": {"value": _read_value(row)},
            "rationale": read_text(row.first(("comment",))),
            "metadata": read_texts(decode_cell(row.first(("metadata",)))) or None,
            "span_id": span_digits_of(str(span_id)) if span_id else None,
            "create_time": None if made_ns is None else format_timestamp(made_ns // NS_PER_MS),
            "last_update_time": None
            if changed_ns is None
            else format_timestamp(changed_ns // NS_PER_MS),
        }
        given = {key: value for key, value in assessment.items() if value is not None}
        return self._make(trace_id, assessments=[given], size_bytes=OVERHEAD_BYTES)


class _Fields:
    """A row, asked for by camelCase names whatever its own are."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self._row = row

    def first(self, names: tuple[str, ...]) -> Any:
        """Return the first value that is there, or None."""
        for name in names:
            value = self._row.get(name)
            if value is None:
                value = self._row.get(_snake(name))
            if value is not None:
                return value
        return None

    def has(self, *names: str) -> bool:
        """Tell whether one of the fields is there, be it null."""
        return any(name in self._row or _snake(name) in self._row for name in names)

    def rows(self, name: str) -> list[_Fields]:
        """Return the rows inside."""
        value = self.first((name,))
        listed = value if isinstance(value, list) else []
        return [_Fields(one) for one in listed if isinstance(one, dict)]

    def weigh(self) -> int:
        """Return about how long it is."""
        return sum(len(str(value)) for value in self._row.values())


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


def _need(row: _Fields, name: str) -> str:
    value = read_text(row.first((name,)))
    if value is None:
        raise InvalidInputError(f"its {name} is missing")
    return value


def _read_id(row: _Fields, name: str) -> str:
    trace_id = own_id_of(_need(row, name))
    if "/" in trace_id:
        raise InvalidInputError(f"its {name} {trace_id[:100]!r} can't be a trace's: it has a '/'")
    return trace_id


def _of_trace(row: _Fields, table: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    found = {key: read_text(row.first(names)) for key, names in table.items()}
    return {key: value for key, value in found.items() if value is not None}


def _read_attributes(row: _Fields) -> dict[str, Any]:
    attributes = {key: _decode(row.first(names)) for key, names in ATTRIBUTES.items()}
    attributes = {key: value for key, value in attributes.items() if value is not None}
    kind = str(row.first(("type",)) or "").upper()
    if kind in SPAN_TYPES:
        attributes[semconv.SPAN_TYPE] = SPAN_TYPES[kind]
    usage = _pick(row.first(("usageDetails", "usage")), TOKENS)
    if usage:
        whole = {key: int(value) for key, value in usage.items()}
        known = whole.get("input_tokens", 0) + whole.get("output_tokens", 0)
        attributes[semconv.CHAT_TOKEN_USAGE] = {"total_tokens": known, **whole}
    cost = _pick(row.first(("costDetails",)), COSTS)
    total = read_number(row.first(("calculatedTotalCost", "totalCost")))
    if total is not None:
        cost.setdefault("total_cost", total)
    if cost:
        cost.setdefault("total_cost", cost.get("input_cost", 0.0) + cost.get("output_cost", 0.0))
        attributes[semconv.LLM_COST] = cost
    return attributes


def _pick(details: Any, table: Mapping[str, tuple[str, ...]]) -> dict[str, float]:
    details = decode_cell(details)
    if not isinstance(details, dict):
        return {}
    found = {}
    for key, names in table.items():
        numbers = (read_number(details.get(name)) for name in names)
        number = next((one for one in numbers if one is not None), None)
        if number is not None:
            found[key] = number
    return found


def _decode(value: Any) -> Any:
    """Return what JSON text of an object or a list says: exports hold payloads as text."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return value
    return value


def _read_tags(value: Any) -> dict[str, str]:
    """Return labels as tags; a text that is no list is one label."""
    labels = value if isinstance(value, list) else [value]
    texts = [read_text(one) for one in labels]
    return {text: semconv.LABEL_VALUE for text in texts if text is not None}


def _read_value(row: _Fields) -> Any:
    """Return what a score says: its kind tells which of its fields counts."""
    kind = str(row.first(("dataType",)) or "").upper()
    value, text = row.first(("value",)), row.first(("stringValue", "longStringValue"))
    if kind in TEXT_SCORES:
        value = value if text is None else text
    elif value is None or value == "":
        value = text
    if value is None:
        raise InvalidInputError("the score has neither a value nor a stringValue")
    if kind == "BOOLEAN":
        return str(value).strip().lower() not in FALSE_TEXTS
    number = None if kind in TEXT_SCORES else read_number(value)
    return value if number is None else number


def _shorten(text: str | None) -> str | None:
    return None if text is None else text[: semconv.MAX_PREVIEW_CHARS]
