"""One finished (or fetched) step of a trace; nothing about it can be changed.

All values of a span lie in `attributes`, decoded; what MLflow gives a name of its own (`inputs`,
`span_type`, …) is read from the reserved keys there. `to_dict` writes MLflow's JSON shape, in
which every attribute value is a JSON text of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from whence import semconv
from whence.entities.span_event import Link, SpanEvent
from whence.entities.span_ids import SPAN_ID_BYTES, TRACE_ID_BYTES, decode_id, encode_id
from whence.entities.span_status import SpanStatus, SpanStatusCode
from whence.entities.span_type import SpanLogLevel, SpanType

if TYPE_CHECKING:
    from collections.abc import Sequence

KIND_PREFIX = "SPAN_KIND_"
STATUS_PREFIX = "STATUS_CODE_"


class Span:
    """A span as it was stored. Ids are hex (`trace_id` with `tr-`), times nanoseconds."""

    __slots__ = (
        "_attributes",
        "_end_time_ns",
        "_events",
        "_kind",
        "_links",
        "_name",
        "_parent_id",
        "_resource",
        "_scope",
        "_span_id",
        "_start_time_ns",
        "_status",
        "_trace_id",
    )

    def __init__(
        self,
        *,
        trace_id: str,
        span_id: str,
        name: str,
        start_time_ns: int,
        end_time_ns: int | None = None,
        parent_id: str | None = None,
        kind: str = "INTERNAL",
        status: SpanStatus | None = None,
        attributes: dict[str, Any] | None = None,
        events: Sequence[SpanEvent] = (),
        links: Sequence[Link] = (),
        resource: dict[str, Any] | None = None,
        scope: str = "",
    ) -> None:
        self._trace_id = trace_id
        self._span_id = span_id
        self._parent_id = parent_id
        self._name = name
        self._kind = kind
        self._start_time_ns = start_time_ns
        self._end_time_ns = end_time_ns
        self._status = status or SpanStatus(SpanStatusCode.UNSET)
        self._attributes = dict(attributes or {})
        self._events = tuple(events)
        self._links = tuple(links)
        self._resource = dict(resource or {})
        self._scope = scope

    @property
    def trace_id(self) -> str:
        """The id of the trace this span belongs to."""
        return self._trace_id

    @property
    def request_id(self) -> str:
        """MLflow's older word for `trace_id`."""
        return self._trace_id

    @property
    def span_id(self) -> str:
        """16 hex digits."""
        return self._span_id

    @property
    def parent_id(self) -> str | None:
        """The span that this one is a step of, or None for the root."""
        return self._parent_id

    @property
    def name(self) -> str:
        """What the step is called."""
        return self._name

    @property
    def kind(self) -> str:
        """OpenTelemetry's kind: INTERNAL, SERVER, CLIENT, PRODUCER or CONSUMER."""
        return self._kind

    @property
    def start_time_ns(self) -> int:
        """Nanoseconds since the epoch."""
        return self._start_time_ns

    @property
    def end_time_ns(self) -> int | None:
        """Nanoseconds since the epoch, or None while the span is open."""
        return self._end_time_ns

    @property
    def duration_ns(self) -> int | None:
        """How long the step took, or None while it is open."""
        return None if self._end_time_ns is None else self._end_time_ns - self._start_time_ns

    @property
    def status(self) -> SpanStatus:
        """The outcome (a copy)."""
        return SpanStatus(self._status.status_code, self._status.description)

    @property
    def attributes(self) -> dict[str, Any]:
        """All decoded values (a copy), the reserved `mlflow.*` ones included."""
        return dict(self._attributes)

    @property
    def events(self) -> list[SpanEvent]:
        """What happened meanwhile, in order."""
        return list(self._events)

    @property
    def links(self) -> list[Link]:
        """Pointers to other spans."""
        return list(self._links)

    @property
    def resource(self) -> dict[str, Any]:
        """What was constant for the process that made the span (a copy)."""
        return dict(self._resource)

    @property
    def scope(self) -> str:
        """The instrumentation that made the span."""
        return self._scope

    @property
    def inputs(self) -> Any:
        """What went in, decoded."""
        return self._attributes.get(semconv.MLFLOW_INPUTS)

    @property
    def outputs(self) -> Any:
        """What came out, decoded."""
        return self._attributes.get(semconv.MLFLOW_OUTPUTS)

    @property
    def span_type(self) -> str:
        """What kind of step it is: LLM, TOOL, …."""
        return str(self._attributes.get(semconv.SPAN_TYPE, SpanType.UNKNOWN))

    @property
    def log_level(self) -> SpanLogLevel | None:
        """How important the step is, or None."""
        level = self._attributes.get(semconv.SPAN_LOG_LEVEL)
        return None if level is None else SpanLogLevel(level)

    @property
    def description(self) -> str | None:
        """What the step is for, or None."""
        return self._attributes.get(semconv.SPAN_DESCRIPTION)

    @property
    def model_name(self) -> str | None:
        """The model that answered, or None."""
        return self._attributes.get(semconv.LLM_MODEL)

    @property
    def model_provider(self) -> str | None:
        """Who runs the model, or None."""
        return self._attributes.get(semconv.LLM_PROVIDER)

    @property
    def token_usage(self) -> dict[str, int] | None:
        """`input_tokens`, `output_tokens`, `total_tokens`, …, or None."""
        return self._attributes.get(semconv.CHAT_TOKEN_USAGE)

    @property
    def llm_cost(self) -> dict[str, float] | None:
        """`input_cost`, `output_cost` and `total_cost` in USD, or None."""
        return self._attributes.get(semconv.LLM_COST)

    def get_attribute(self, key: str) -> Any:
        """Return one decoded value, or None."""
        return self._attributes.get(key)

    def to_dict(self) -> dict[str, Any]:
        """Return MLflow's JSON shape: base64 ids, each attribute value a JSON text."""
        parent_id = self._parent_id
        return {
            "trace_id": encode_id(self._trace_id, TRACE_ID_BYTES),
            "span_id": encode_id(self._span_id, SPAN_ID_BYTES),
            "parent_span_id": encode_id(parent_id, SPAN_ID_BYTES) if parent_id else None,
            "name": self._name,
            "kind": KIND_PREFIX + self._kind,
            "start_time_unix_nano": self._start_time_ns,
            "end_time_unix_nano": self._end_time_ns,
            "events": [event.to_dict() for event in self._events],
            "status": {
                "code": STATUS_PREFIX + self._status.status_code.value,
                "message": self._status.description,
            },
            "attributes": {key: encode_value(value) for key, value in self._attributes.items()},
            "links": [link.to_dict() for link in self._links],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Span:
        """Read MLflow's JSON shape, with ids in base64 or hex, or its older `context` form."""
        if "context" in data:
            return cls.from_dict_v2(data)
        attributes = _decode_values(data)
        status = data.get("status") or {}
        parent_id = data.get("parent_span_id")
        return cls(
            trace_id=_trace_id(attributes, data["trace_id"]),
            span_id=decode_id(data["span_id"], SPAN_ID_BYTES),
            parent_id=decode_id(parent_id, SPAN_ID_BYTES) if parent_id else None,
            name=data["name"],
            kind=(data.get("kind") or "INTERNAL").removeprefix(KIND_PREFIX),
            start_time_ns=data["start_time_unix_nano"],
            end_time_ns=data.get("end_time_unix_nano"),
            status=SpanStatus(
                SpanStatusCode(status.get("code", "UNSET")), status.get("message") or ""
            ),
            attributes=attributes,
            events=_read_events(data, "time_unix_nano"),
            links=[
                Link(link["trace_id"], link["span_id"], link.get("attributes"))
                for link in data.get("links") or []
            ],
        )

    @classmethod
    def from_dict_v2(cls, data: dict[str, Any]) -> Span:
        """Read the JSON shape of MLflow 2."""
        attributes = _decode_values(data)
        context = data["context"]
        parent_id = data.get("parent_id")
        return cls(
            trace_id=_trace_id(attributes, context["trace_id"]),
            span_id=decode_id(context["span_id"], SPAN_ID_BYTES),
            parent_id=decode_id(parent_id, SPAN_ID_BYTES) if parent_id else None,
            name=data["name"],
            start_time_ns=data["start_time"],
            end_time_ns=data.get("end_time"),
            status=SpanStatus(
                SpanStatusCode(data.get("status_code", "UNSET")), data.get("status_message") or ""
            ),
            attributes=attributes,
            events=_read_events(data, "timestamp"),
        )

    def __getitem__(self, key: object) -> NoReturn:
        msg = f"A Span has no items. Use an attribute such as `span.inputs`, not `span[{key!r}]`."
        raise TypeError(msg)

    def __getattr__(self, name: str) -> NoReturn:
        from whence.left_out import describe_absence

        raise AttributeError(describe_absence("Span", name))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Span) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self._trace_id, self._span_id))

    def __repr__(self) -> str:
        return (
            f"Span(name={self._name!r}, trace_id={self._trace_id!r}, "
            f"span_id={self._span_id!r}, parent_id={self._parent_id!r})"
        )


def encode_value(value: Any) -> str:
    """Return the JSON text of an attribute value, spaced as MLflow writes it."""
    import json  # not needed to record

    return json.dumps(value, ensure_ascii=False, default=str)


def _decode_values(data: dict[str, Any]) -> dict[str, Any]:
    return {key: _decode_value(text) for key, text in (data.get("attributes") or {}).items()}


def _decode_value(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    import json

    try:
        return json.loads(text)
    except ValueError:
        return text


def _trace_id(attributes: dict[str, Any], encoded: str) -> str:
    known = attributes.get(semconv.TRACE_REQUEST_ID)
    if known:
        return str(known)
    decoded = decode_id(encoded, TRACE_ID_BYTES)
    is_hex = len(decoded) == 2 * TRACE_ID_BYTES and set(decoded) <= set("0123456789abcdef")
    return f"tr-{decoded}" if is_hex else decoded


def _read_events(data: dict[str, Any], time_key: str) -> list[SpanEvent]:
    return [
        SpanEvent(event["name"], event[time_key], dict(event.get("attributes") or {}))
        for event in data.get("events") or []
    ]
