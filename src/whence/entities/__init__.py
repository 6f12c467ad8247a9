"""The nouns of the public API, one file each; light to import and independent of the rest.

`span` stands on `span_type`, `span_status`, `span_event` and `span_ids`; `trace_info` on
`trace_state`, `experiment` and `assessment` (with `assessment_source`); `trace` on both; `rest`
builds them from the answers of the server. `document` is what a retriever returns, `session` the
traces of a conversation, `paged_list` a page of results, `comparison` a version against another.

A name's module is loaded when the name is first used (PEP 562): `import whence` needs few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from whence.entities.assessment import (
        Assessment,
        Expectation,
        ExpectationValue,
        Feedback,
        FeedbackValue,
        IssueReference,
    )
    from whence.entities.assessment_source import (
        AssessmentError,
        AssessmentSource,
        AssessmentSourceType,
    )
    from whence.entities.comparison import Comparison, MetricComparison
    from whence.entities.document import Document
    from whence.entities.experiment import (
        Experiment,
        MlflowExperimentLocation,
        TraceLocation,
        TraceLocationType,
    )
    from whence.entities.experiment_id import experiment_id_of
    from whence.entities.paged_list import PagedList
    from whence.entities.rest import info_from_api, span_from_api, trace_from_api
    from whence.entities.session import Session
    from whence.entities.span import Span
    from whence.entities.span_event import Link, SpanEvent
    from whence.entities.span_status import SpanStatus, SpanStatusCode
    from whence.entities.span_type import SpanLogLevel, SpanType
    from whence.entities.trace import Trace, TraceData
    from whence.entities.trace_diff import TraceDiff
    from whence.entities.trace_info import TraceInfo
    from whence.entities.trace_state import TraceState

__all__ = [
    "Assessment",
    "AssessmentError",
    "AssessmentSource",
    "AssessmentSourceType",
    "Comparison",
    "Document",
    "Expectation",
    "ExpectationValue",
    "Experiment",
    "Feedback",
    "FeedbackValue",
    "IssueReference",
    "Link",
    "MetricComparison",
    "MlflowExperimentLocation",
    "PagedList",
    "Session",
    "Span",
    "SpanEvent",
    "SpanLogLevel",
    "SpanStatus",
    "SpanStatusCode",
    "SpanType",
    "Trace",
    "TraceData",
    "TraceDiff",
    "TraceInfo",
    "TraceLocation",
    "TraceLocationType",
    "TraceState",
    "experiment_id_of",
    "info_from_api",
    "span_from_api",
    "trace_from_api",
]

_MODULE_OF = {
    name: module
    for module, names in {
        "assessment": (
            "Assessment",
            "Expectation",
            "ExpectationValue",
            "Feedback",
            "FeedbackValue",
            "IssueReference",
        ),
        "assessment_source": ("AssessmentError", "AssessmentSource", "AssessmentSourceType"),
        "comparison": ("Comparison", "MetricComparison"),
        "document": ("Document",),
        "experiment": (
            "Experiment",
            "MlflowExperimentLocation",
            "TraceLocation",
            "TraceLocationType",
        ),
        "experiment_id": ("experiment_id_of",),
        "paged_list": ("PagedList",),
        "rest": ("info_from_api", "span_from_api", "trace_from_api"),
        "session": ("Session",),
        "span": ("Span",),
        "span_event": ("Link", "SpanEvent"),
        "span_status": ("SpanStatus", "SpanStatusCode"),
        "span_type": ("SpanLogLevel", "SpanType"),
        "trace": ("Trace", "TraceData"),
        "trace_diff": ("TraceDiff",),
        "trace_info": ("TraceInfo",),
        "trace_state": ("TraceState",),
    }.items()
    for name in names
}


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        from whence.left_out import describe_absence

        raise AttributeError("module " + describe_absence("whence.entities", name))
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"whence.entities.{module}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
