"""A trace without its spans, in the JSON that MLflow's client reads: its form of today and of old.

Two tags are always there, because clients act on them: the spans lie in the tracking store, and
where files of the trace are. Values come out whole, whatever their length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, UnsetType

from whence.entities.assessment_source import SOURCE_TYPES, AssessmentSourceType
from whence.entities.timestamp import format_timestamp
from whence.query.views import Assessment, Source
from whence.server.mlflow.requests import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from whence.ingest.header import Header
    from whence.query.views import TraceInfo

SPANS_LOCATION = "mlflow.trace.spansLocation"
ARTIFACT_LOCATION = "mlflow.artifactLocation"
IN_STORE = "TRACKING_STORE"
EXPERIMENT_LOCATION = "MLFLOW_EXPERIMENT"
UNSPECIFIED = "STATE_UNSPECIFIED"
NS_PER_MS = 1_000_000


class ExperimentOf(msgspec.Struct, frozen=True):
    """The experiment that a location names."""

    experiment_id: str


class Location(msgspec.Struct, frozen=True):
    """Where a trace lies."""

    type: str
    mlflow_experiment: ExperimentOf


class WireInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A trace as MLflow's client of version 3 reads it."""

    trace_id: str
    client_request_id: str | UnsetType = UNSET
    trace_location: Location
    request_time: str
    execution_duration: str | UnsetType = UNSET
    state: str
    request_preview: str | UnsetType = UNSET
    response_preview: str | UnsetType = UNSET
    trace_metadata: dict[str, str]
    tags: dict[str, str]
    assessments: list[Assessment] | UnsetType = UNSET


class Pair(msgspec.Struct, frozen=True):
    """A key and its value, where MLflow writes a map as a list."""

    key: str
    value: str


class OldInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A trace as MLflow's client of version 2 reads it."""

    request_id: str
    experiment_id: str
    timestamp_ms: int
    execution_time_ms: int | UnsetType = UNSET
    status: str
    request_metadata: list[Pair]
    tags: list[Pair]


def write_info(info: TraceInfo) -> WireInfo:
    """Return a stored trace in MLflow's form."""
    return WireInfo(
        trace_id=info.trace_id,
        client_request_id=_or_unset(info.client_request_id),
        trace_location=_locate(info.experiment_id),
        request_time=format_timestamp(info.request_time_ms),
        execution_duration=UNSET if info.duration_ns is None else write_duration(info.duration_ns),
        state=info.state,
        request_preview=_or_unset(info.request_preview),
        response_preview=_or_unset(info.response_preview),
        trace_metadata=info.trace_metadata,
        tags=add_tags(info.tags, info.experiment_id, info.trace_id),
        assessments=[write_assessment(one) for one in info.assessments] or UNSET,
    )


def write_unstored(header: Header, experiment_id: str) -> WireInfo:
    """Return what a client said of a trace that is deleted and stays so."""
    duration_ns = header.duration_ns
    return WireInfo(
        trace_id=header.trace_id,
        client_request_id=_or_unset(header.client_request_id),
        trace_location=_locate(experiment_id),
        request_time=format_timestamp(header.request_time_ms or 0),
        execution_duration=UNSET if duration_ns is None else write_duration(duration_ns),
        state=header.state or UNSPECIFIED,
        request_preview=_or_unset(header.request_preview),
        response_preview=_or_unset(header.response_preview),
        trace_metadata=header.trace_metadata,
        tags=add_tags(header.tags, experiment_id, header.trace_id),
    )


def write_old_info(info: TraceInfo) -> OldInfo:
    """Return a stored trace in the form of MLflow 2."""
    duration_ns = info.duration_ns
    return OldInfo(
        request_id=info.trace_id,
        experiment_id=info.experiment_id,
        timestamp_ms=info.request_time_ms,
        execution_time_ms=UNSET if duration_ns is None else duration_ns // NS_PER_MS,
        status=info.state,
        request_metadata=write_pairs(info.trace_metadata),
        tags=write_pairs(add_tags(info.tags, info.experiment_id, info.trace_id)),
    )


def write_assessment(assessment: Assessment) -> Assessment:
    """Return an assessment that a client can read: of a kind of judge that it knows."""
    source = assessment.source
    if source.source_type in SOURCE_TYPES:
        return assessment
    unknown = Source(AssessmentSourceType.SOURCE_TYPE_UNSPECIFIED, source.source_id)
    return msgspec.structs.replace(assessment, source=unknown)


def write_pairs(values: Mapping[str, str]) -> list[Pair]:
    """Return a map as MLflow's list of keys and values."""
    return [Pair(key, value) for key, value in values.items()]


def write_duration(duration_ns: int) -> str:
    """Return protobuf's text of a duration.

    >>> write_duration(165_000_000), write_duration(0), write_duration(1_000_000_001)
    ('0.165s', '0s', '1.000000001s')
    """
    seconds, rest = divmod(duration_ns, NS_PER_S)
    fraction = f"{rest:09d}"
    while fraction.endswith("000"):
        fraction = fraction[:-3]
    return f"{seconds}.{fraction}s" if fraction else f"{seconds}s"


def add_tags(tags: Mapping[str, str], experiment_id: str, trace_id: str) -> dict[str, str]:
    """Return a trace's tags with those that only a server writes."""
    place = f"mlflow-artifacts:/{experiment_id}/traces/{trace_id}/artifacts"
    return {**tags, ARTIFACT_LOCATION: place, SPANS_LOCATION: IN_STORE}


def _locate(experiment_id: str) -> Location:
    return Location(EXPERIMENT_LOCATION, ExperimentOf(experiment_id))


def _or_unset(text: str | None) -> str | UnsetType:
    return UNSET if text is None else text
