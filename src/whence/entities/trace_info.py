"""The header of a trace: when, how long, with what outcome, from which code and environment.

Metadata and tags are `dict[str, str]`. A key that is unknown is absent, and its property None.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

from whence import semconv
from whence.entities.assessment import Assessment
from whence.entities.experiment import TraceLocation
from whence.entities.timestamp import format_timestamp, parse_timestamp
from whence.entities.trace_state import TraceState

OLD_STATES = {"TRACE_STATUS_UNSPECIFIED": TraceState.STATE_UNSPECIFIED}


@dataclass
class TraceInfo:
    """A trace without its spans. `request_time` and `execution_duration` are milliseconds."""

    trace_id: str
    trace_location: TraceLocation
    request_time: int
    state: TraceState
    request_preview: str | None = None
    response_preview: str | None = None
    client_request_id: str | None = None
    execution_duration: int | None = None
    trace_metadata: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    assessments: list[Assessment] = field(default_factory=list)
    # Beyond MLflow: what the server knows, and the JSON form has no place for.
    duration_ns: int | None = field(default=None, compare=False)
    error_count: int | None = field(default=None, compare=False)
    models: list[str] = field(default_factory=list, compare=False)
    # Where each key of `trace_metadata` comes from, in words; {} where nobody noted it.
    provenance: dict[str, str] = field(default_factory=dict, compare=False)
    known_environment: str | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.state = OLD_STATES.get(self.state) or TraceState(self.state)

    @property
    def name(self) -> str | None:
        """The name of the root span, or what the tag `mlflow.traceName` was changed to."""
        return self.tags.get(semconv.TRACE_NAME_TAG)

    @property
    def request_id(self) -> str:
        """MLflow's older word for `trace_id`."""
        return self.trace_id

    @property
    def experiment_id(self) -> str | None:
        """The experiment that the trace lies in."""
        experiment = self.trace_location.mlflow_experiment
        return experiment.experiment_id if experiment else None

    @property
    def request_metadata(self) -> dict[str, str]:
        """MLflow's older word for `trace_metadata`."""
        return self.trace_metadata

    @property
    def timestamp_ms(self) -> int:
        """MLflow's older word for `request_time`."""
        return self.request_time

    @property
    def execution_time_ms(self) -> int | None:
        """MLflow's older word for `execution_duration`."""
        return self.execution_duration

    @property
    def status(self) -> TraceState:
        """MLflow's older word for `state`."""
        return self.state

    @property
    def token_usage(self) -> dict[str, int] | None:
        """`input_tokens`, `output_tokens`, `total_tokens`, … over the trace, or None."""
        return cast("dict[str, int] | None", self._json(semconv.TOKEN_USAGE))

    @property
    def cost(self) -> dict[str, float] | None:
        """`input_cost`, `output_cost` and `total_cost` in USD over the trace, or None."""
        return cast("dict[str, float] | None", self._json(semconv.COST))

    @property
    def cost_usd(self) -> float | None:
        """What the trace cost in all, or None."""
        return (self.cost or {}).get("total_cost")

    @property
    def environment(self) -> str | None:
        """Where it ran, under OpenTelemetry's well-known name (`prod` becomes `production`)."""
        if self.known_environment is not None:  # the server may know further spellings
            return self.known_environment
        verbatim = self.trace_metadata.get(semconv.ENVIRONMENT)
        return None if verbatim is None else semconv.normalise_environment(verbatim)

    @property
    def app_version(self) -> str | None:
        """The version of the application."""
        return self.trace_metadata.get(semconv.APP_VERSION)

    @property
    def commit(self) -> str | None:
        """The git commit of the code."""
        return self.trace_metadata.get(semconv.GIT_COMMIT)

    @property
    def branch(self) -> str | None:
        """The git branch of the code."""
        return self.trace_metadata.get(semconv.GIT_BRANCH)

    @property
    def repository_url(self) -> str | None:
        """The git repository of the code, without credentials."""
        return self.trace_metadata.get(semconv.GIT_REPO_URL)

    @property
    def deployment_id(self) -> str | None:
        """Which deployment served the request."""
        return self.trace_metadata.get(semconv.DEPLOYMENT_ID)

    @property
    def region(self) -> str | None:
        """Which region it ran in."""
        return self.trace_metadata.get(semconv.REGION)

    @property
    def session(self) -> str | None:
        """The conversation that the trace is part of."""
        return self.trace_metadata.get(semconv.SESSION)

    @property
    def user(self) -> str | None:
        """The end user of the application."""
        return self.trace_metadata.get(semconv.TRACE_USER)

    @property
    def span_count(self) -> int | None:
        """How many spans the trace has, or None where nobody counted."""
        return (self._json(semconv.SIZE_STATS) or {}).get("num_spans")

    @property
    def size_bytes(self) -> int | None:
        """The size of the trace as JSON, or None where nobody measured."""
        return (self._json(semconv.SIZE_STATS) or {}).get("total_size_bytes")

    def _json(self, key: str) -> dict[str, Any] | None:
        """Return the parsed JSON object under a metadata key, None where it is not one."""
        try:
            value = json.loads(self.trace_metadata.get(key) or "null")
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    def to_dict(self) -> dict[str, Any]:
        """Return MLflow's JSON form; what is not set is left out."""
        form: dict[str, Any] = {
            "trace_id": self.trace_id,
            "client_request_id": self.client_request_id,
            "trace_location": self.trace_location.to_dict(),
            "request_preview": self.request_preview,
            "response_preview": self.response_preview,
            "request_time": format_timestamp(self.request_time),
            "state": self.state.value,
            "trace_metadata": dict(self.trace_metadata) or None,
            "tags": dict(self.tags) or None,
            "assessments": [each.to_dict() for each in self.assessments] or None,
            "execution_duration_ms": self.execution_duration,
        }
        return {key: value for key, value in form.items() if value is not None}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TraceInfo:
        """Read MLflow's JSON form, the current or the older one (`request_id`, `timestamp_ms`)."""
        if "trace_location" not in data and "request_id" in data:
            return cls._from_dict_v2(data)
        return cls(
            trace_id=data["trace_id"],
            trace_location=TraceLocation.from_dict(data["trace_location"]),
            request_time=parse_timestamp(data["request_time"]),
            state=data.get("state", TraceState.STATE_UNSPECIFIED),
            request_preview=data.get("request_preview"),
            response_preview=data.get("response_preview"),
            client_request_id=data.get("client_request_id"),
            execution_duration=_read_duration(data),
            trace_metadata=_read_pairs(data.get("trace_metadata")),
            tags=_read_pairs(data.get("tags")),
            assessments=[Assessment.from_dict(each) for each in data.get("assessments") or []],
        )

    @classmethod
    def _from_dict_v2(cls, data: dict[str, Any]) -> TraceInfo:
        return cls(
            trace_id=data["request_id"],
            trace_location=TraceLocation.from_experiment_id(str(data["experiment_id"])),
            request_time=data["timestamp_ms"],
            state=data.get("status", TraceState.STATE_UNSPECIFIED),
            execution_duration=data.get("execution_time_ms"),
            trace_metadata=_read_pairs(data.get("request_metadata")),
            tags=_read_pairs(data.get("tags")),
        )


def _read_duration(data: dict[str, Any]) -> int | None:
    """Return milliseconds from `execution_duration_ms`, or from `"0.165s"`."""
    duration_ms = data.get("execution_duration_ms")
    if duration_ms is not None:
        return int(duration_ms)
    text = data.get("execution_duration")
    if text is None:
        return None
    if isinstance(text, str):
        from decimal import Decimal

        return int(Decimal(text.removesuffix("s")) * 1000)
    return int(text)


def _read_pairs(pairs: dict[str, str] | list[dict[str, str]] | None) -> dict[str, str]:
    """Read a JSON object, or the older list of `{"key": …, "value": …}`."""
    if isinstance(pairs, list):
        return {pair["key"]: pair["value"] for pair in pairs}
    return dict(pairs or {})
