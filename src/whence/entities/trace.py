"""A trace: its header and its spans, with MLflow's JSON and DataFrame forms."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from whence import semconv
from whence.entities.assessment import Assessment, Expectation, Feedback
from whence.entities.span import Span, encode_value
from whence.entities.trace_info import TraceInfo
from whence.errors import InvalidInputError

if TYPE_CHECKING:
    import re

ASSESSMENT_TYPES: dict[str, type[Assessment]] = {"feedback": Feedback, "expectation": Expectation}


@dataclass
class TraceData:
    """The spans of a trace, by start time, the root first."""

    spans: list[Span] = field(default_factory=list)

    @property
    def root(self) -> Span | None:
        """The span without a parent, else the first whose parent another system recorded."""
        for span in self.spans:
            if span.parent_id is None:
                return span
        for span in self.spans:
            if span.get_attribute(semconv.LOCAL_ROOT) is True:
                return span
        return None

    @property
    def request(self) -> str | None:
        """The root's inputs as JSON text."""
        return self._text(semconv.MLFLOW_INPUTS)

    @property
    def response(self) -> str | None:
        """The root's outputs as JSON text."""
        return self._text(semconv.MLFLOW_OUTPUTS)

    def _text(self, key: str) -> str | None:
        root = self.root
        value = None if root is None else root.get_attribute(key)
        return None if value is None else encode_value(value)

    def to_dict(self) -> dict[str, Any]:
        """Return MLflow's JSON form."""
        return {"spans": [span.to_dict() for span in self.spans]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TraceData:
        """Read MLflow's JSON form."""
        return cls(spans=[Span.from_dict(span) for span in data.get("spans") or []])


@dataclass(repr=False)
class Trace:
    """A trace as it was stored.

    `conflicts` lists metadata that contradicted what was there first, and was refused:
    `key`, `kept`, `refused` and `source` (empty where nothing did, or where nobody asked).
    """

    info: TraceInfo
    data: TraceData
    conflicts: list[dict[str, Any]] = field(default_factory=list, compare=False)

    @property
    def trace_id(self) -> str:
        """The trace's id."""
        return self.info.trace_id

    def search_spans(
        self,
        span_type: str | None = None,
        name: str | re.Pattern[str] | None = None,
        span_id: str | None = None,
    ) -> list[Span]:
        """Return the spans that match all that is given; `name` is exact, or a pattern."""

        def matches(span: Span) -> bool:
            if span_type is not None and span.span_type != span_type:
                return False
            if span_id is not None and span.span_id != span_id:
                return False
            if name is None:
                return True
            return span.name == name if isinstance(name, str) else bool(name.search(span.name))

        return [span for span in self.data.spans if matches(span)]

    def search_assessments(
        self,
        name: str | None = None,
        *,
        span_id: str | None = None,
        all: bool = False,  # noqa: A002 - MLflow's word
        type: str | None = None,  # noqa: A002 - MLflow's word
    ) -> list[Assessment]:
        """Return the assessments that match all that is given, the overridden ones if `all`."""
        if type is not None and type not in ASSESSMENT_TYPES:
            msg = f"`type` is 'feedback' or 'expectation', not {type!r}."
            raise InvalidInputError(msg)

        def matches(assessment: Assessment) -> bool:
            return (
                (all or assessment.valid is not False)
                and (name is None or assessment.name == name)
                and (span_id is None or assessment.span_id == span_id)
                and (type is None or isinstance(assessment, ASSESSMENT_TYPES[type]))
            )

        return [assessment for assessment in self.info.assessments if matches(assessment)]

    def to_dict(self) -> dict[str, Any]:
        """Return MLflow's JSON form."""
        return {"info": self.info.to_dict(), "data": self.data.to_dict()}

    def to_json(self, pretty: bool = False) -> str:
        """Return the JSON form as text, in ASCII."""
        return json.dumps(self.to_dict(), indent=2 if pretty else None)

    @classmethod
    def from_dict(cls, trace_dict: dict[str, Any]) -> Trace:
        """Read MLflow's JSON form."""
        if not trace_dict.get("info") or trace_dict.get("data") is None:
            msg = "A trace needs the keys 'info' and 'data'."
            raise InvalidInputError(msg)
        return cls(
            info=TraceInfo.from_dict(trace_dict["info"]),
            data=TraceData.from_dict(trace_dict["data"]),
        )

    from_dictionary = from_dict

    @classmethod
    def from_json(cls, trace_json: str) -> Trace:
        """Read the JSON form from text."""
        try:
            data = json.loads(trace_json)
        except ValueError as problem:
            msg = f"The trace is not JSON: {problem}."
            raise InvalidInputError(msg) from problem
        if not isinstance(data, dict):
            msg = f"A trace is a JSON object, not {type(data).__name__}."
            raise InvalidInputError(msg)
        return cls.from_dict(data)

    def to_pandas_dataframe_row(self) -> dict[str, Any]:
        """Return one row of the table that `search_traces` returns."""
        root = self.data.root
        return {
            "trace_id": self.info.trace_id,
            "trace": self.to_json(),
            "client_request_id": self.info.client_request_id,
            "state": self.info.state,
            "request_time": self.info.request_time,
            "execution_duration": self.info.execution_duration,
            "request": None if root is None else root.inputs,
            "response": None if root is None else root.outputs,
            "trace_metadata": self.info.trace_metadata,
            "tags": self.info.tags,
            "spans": [span.to_dict() for span in self.data.spans],
            "assessments": [assessment.to_dict() for assessment in self.info.assessments],
        }

    @staticmethod
    def pandas_dataframe_columns() -> list[str]:
        """Return the names of the columns, in order."""
        return list(DATAFRAME_COLUMNS)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return what a notebook shows: text, and HTML unless that is switched off."""
        from whence.entities.trace_html import Display, render_trace

        shown = {"text/plain": repr(self)}
        if Display.enabled:
            shown["text/html"] = render_trace(self)
        return shown

    def __getattr__(self, name: str) -> NoReturn:
        from whence.left_out import describe_absence

        raise AttributeError(describe_absence("Trace", name))

    def __repr__(self) -> str:
        return f"Trace(trace_id={self.trace_id!r})"


DATAFRAME_COLUMNS = (
    "trace_id",
    "trace",
    "client_request_id",
    "state",
    "request_time",
    "execution_duration",
    "request",
    "response",
    "trace_metadata",
    "tags",
    "spans",
    "assessments",
)
