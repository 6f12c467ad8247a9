"""The nouns of the public API, one file each; light to import and independent of the rest.

`span_type`, `span_status`, `span_event` and `document` are the parts of a span, `experiment` and
`trace_state` those of a trace.
"""

from __future__ import annotations

from whence.entities.document import Document
from whence.entities.experiment import (
    Experiment,
    MlflowExperimentLocation,
    TraceLocation,
    TraceLocationType,
    experiment_id_of,
)
from whence.entities.span_event import Link, SpanEvent
from whence.entities.span_status import SpanStatus, SpanStatusCode
from whence.entities.span_type import SpanLogLevel, SpanType
from whence.entities.trace_state import TraceState

__all__ = [
    "Document",
    "Experiment",
    "Link",
    "MlflowExperimentLocation",
    "SpanEvent",
    "SpanLogLevel",
    "SpanStatus",
    "SpanStatusCode",
    "SpanType",
    "TraceLocation",
    "TraceLocationType",
    "TraceState",
    "experiment_id_of",
]
