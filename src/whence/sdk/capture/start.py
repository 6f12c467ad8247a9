"""Where a new span hangs: under ours, under a foreign one, or on top of a trace of its own.

- The current span is ours: a child in the same trace.
- It is a foreign SDK's, below one of ours in the same trace: a child of it in our trace.
- It is foreign and none of ours lies above (a foreign SDK's, a remote service's, sampled or not,
  or ours from before a fork): a *local root*, with a context of its own and the same trace id.
- There is none: a new trace, if it is sampled.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec
from opentelemetry.trace import Span as OtelSpan

from whence import semconv
from whence.sdk import diagnostics, runtime, settings
from whence.sdk.capture import active, ids, keys, processors
from whence.sdk.capture.active import ActiveTrace
from whence.sdk.capture.computed import compute_metadata
from whence.sdk.capture.span import LiveSpan
from whence.sdk.capture.trace_metadata import EMPTY_SCOPE, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import SpanContext

    from whence.sdk.settings import ExperimentKey


class RootOptions(msgspec.Struct, frozen=True):
    """What matters only where the span starts a trace."""

    experiment: ExperimentKey | None = None
    sampling_ratio: float | None = None
    metadata: Mapping[Any, Any] | None = None
    tags: Mapping[Any, Any] | None = None


NO_OPTIONS = RootOptions()
MLFLOW_RUNS = "mlflow.tracking.fluent"


class Unsampled:
    """Says that nothing is to be recorded below this point."""


UNSAMPLED = Unsampled()


def start(
    context: keys.Context,
    name: str,
    stored: dict[str, Any],
    options: RootOptions = NO_OPTIONS,
    kind: type[LiveSpan] = LiveSpan,
    start_time_ns: int | None = None,
) -> LiveSpan | Unsampled | None:
    """Start a span; None where nothing is recorded here, `UNSAMPLED` where that is decided now."""
    parent = context.get(keys.SPAN)
    nearest = context.get(keys.NEAREST)
    if nearest is keys.MUTED:
        return None
    if (
        parent is not None
        and isinstance(parent, LiveSpan)
        and parent.generation == active.generation
    ):
        span = kind(parent.active_trace, name, parent, parent.number, stored, start_time_ns)
    else:
        started = _start_below_foreign(
            context, parent, nearest, name, stored, options, kind, start_time_ns
        )
        if isinstance(started, Unsampled):
            return started
        span = started
    if processors.otel_processors:
        processors.run_at_start(span, context)
    return span


def _start_below_foreign(
    context: keys.Context,
    parent: object,
    nearest: object,
    name: str,
    stored: dict[str, Any],
    options: RootOptions,
    kind: type[LiveSpan],
    start_time_ns: int | None,
) -> LiveSpan | Unsampled:
    above = None
    if parent is not None and isinstance(parent, OtelSpan):
        above = parent.get_span_context()
    if above is None or not above.is_valid:
        ratio = options.sampling_ratio
        if not ids.is_sampled(settings.current.sampling_ratio if ratio is None else ratio):
            diagnostics.count("unsampled")
            return UNSAMPLED
        trace = _new_trace(ids.new_trace_id(), context, options)
        span = kind(trace, name, None, 0, stored, start_time_ns)
    else:
        if isinstance(nearest, LiveSpan) and _is_same_trace(nearest, above):
            return kind(nearest.active_trace, name, parent, above.span_id, stored, start_time_ns)  # type: ignore[arg-type]
        if settings.current.follow_parent_sampling and not above.trace_flags.sampled:
            return UNSAMPLED
        trace = _new_trace(above.trace_id, context, options)
        trace.is_local = True
        trace.trace_state = above.trace_state
        if active.inherited:
            runtime.report(above.trace_id)
        span = kind(trace, name, parent, above.span_id, stored, start_time_ns)  # type: ignore[arg-type]
    active.open_trace(trace, span)
    runtime.start()
    return span


def _is_same_trace(nearest: LiveSpan, above: SpanContext) -> bool:
    return (
        nearest.active_trace.trace_id == above.trace_id
        and nearest.generation == active.generation
        and not above.is_remote
    )


def _new_trace(trace_id: int, context: keys.Context, options: RootOptions) -> ActiveTrace:
    scope = context.get(keys.SCOPE)
    given = scope if isinstance(scope, Scope) else EMPTY_SCOPE
    current = settings.current
    if current.baggage:
        from whence.sdk.capture.baggage import add_from_context

        given = add_from_context(given, context, current.baggage)
    experiment = options.experiment
    if experiment is None and (current.destination or current.has_context_destination):
        from whence.sdk.capture.target import find_destination

        experiment = find_destination()
    trace = ActiveTrace(
        trace_id, experiment or current.experiment or settings.active_experiment(), given
    )
    if settings.computed:
        trace.add_computed(compute_metadata())
    if current.active_model is not None:
        from whence.sdk.capture.target import MODEL_SOURCE, model_metadata

        trace.add_computed(model_metadata(), MODEL_SOURCE)
    if MLFLOW_RUNS in sys.modules:  # never imported by us
        _add_run(trace)
    if options.metadata:
        trace.add_metadata(options.metadata)
    if options.tags:
        trace.add_tags(options.tags)
    return trace


def _add_run(trace: ActiveTrace) -> None:
    """Name the MLflow run that is open around the trace, unless the program named one itself."""
    from whence.sdk.context.active_run import SOURCE, find_active_run

    run_id = find_active_run()
    if run_id is not None and semconv.SOURCE_RUN not in settings.declared:
        trace.add_computed({semconv.SOURCE_RUN: run_id}, SOURCE)


def current_span(context: keys.Context | None = None) -> LiveSpan | None:
    """Return the innermost of our spans that is current and was started in this process."""
    if context is None:
        context = keys.get_current()
    span = context.get(keys.SPAN)
    nearest = context.get(keys.NEAREST)
    if nearest is keys.MUTED:
        return None
    if not isinstance(span, LiveSpan):
        if not isinstance(nearest, LiveSpan) or not isinstance(span, OtelSpan):
            return None
        above = span.get_span_context()
        if above.is_valid and not _is_same_trace(nearest, above):
            return None
        span = nearest
    return span if span.generation == active.generation else None


def experiment_of(destination: Any) -> ExperimentKey | None:
    """Return the experiment that a `trace_destination` names."""
    if destination is None:
        return None
    inner = getattr(destination, "mlflow_experiment", None) or destination
    experiment_id = getattr(inner, "experiment_id", None)
    return None if experiment_id is None else settings.experiment_key(None, experiment_id)


def run_metadata(run_id: str | None) -> dict[str, str] | None:
    """Return the metadata that links a trace to a run."""
    return None if run_id is None else {semconv.SOURCE_RUN: run_id}
