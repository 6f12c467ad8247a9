"""Spans recorded elsewhere, or earlier, recorded again: under the active span, or as a new trace.

Copies get span ids of their own, keep names, kinds, times, values, events, links and statuses, and
pass the span processors. What a server counts (tokens and cost of the whole trace, sizes) is
counted anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whence import semconv
from whence.entities.trace import Trace
from whence.entities.trace_state import TraceState
from whence.errors import InvalidInputError
from whence.sdk import diagnostics, settings
from whence.sdk.capture.noop import NoOpSpan
from whence.sdk.capture.scope import start_span_no_context
from whence.sdk.capture.span import LiveSpan
from whence.sdk.capture.start import current_span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from whence.entities.span import Span

REMOTE_ROOT = "Remote Trace <{}>"
# What speaks of the trace, or of how the span came here, and is said anew.
LEFT_BEHIND = frozenset({semconv.TRACE_REQUEST_ID, semconv.EXPERIMENT_ID, "mlflow.spanStartTimeNs"})
LEFT_PREFIXES = ("whence.", semconv.TRACE_TAG_PREFIX)
KEPT_OF_OURS = (semconv.GENERATOR_RETURN, semconv.GENERATOR_CLOSED, semconv.CAPTURE_PROBLEM)
COUNTED = (semconv.TOKEN_USAGE, semconv.COST, semconv.SIZE_BYTES, semconv.SIZE_STATS)


def add_trace(trace: Trace | dict[str, Any], target: Any = None) -> None:
    """Hang a finished trace from elsewhere under `target`, or else under the active span.

    Without either it becomes a trace of its own, below a root called "Remote Trace <name>". Its
    tags, its session, its user and the metadata that its program gave are added to the trace it
    joins, where that says nothing of them. `trace` may be the dict of `Trace.to_dict()`. Raises
    `InvalidInputError` for what is no trace, or for one that has not ended.
    """
    remote = _read(trace)
    if target is None:
        target = current_span()
    if isinstance(target, NoOpSpan) or not settings.current.enabled:
        return
    if target is not None and not isinstance(target, LiveSpan):
        raise InvalidInputError(
            f"`target` must be a span that is being recorded, but got {type(target).__name__}."
        )
    try:
        host = _open_host(remote) if target is None else target
        if not isinstance(host, LiveSpan):
            return
        _add_context(host, remote)
        _copy_spans(remote.data.spans, host)
        if target is None:
            host.finish(_end_of(remote) + 1)
    except Exception as error:  # noqa: BLE001 - tracing never breaks the program
        diagnostics.caught("adding a trace", error)


def copy_trace_to_experiment(trace_dict: dict[str, Any], experiment_id: str | None = None) -> str:
    """Record a trace again, in another experiment; return the new trace's id.

    Metadata and tags are copied with it, assessments are not. Raises `InvalidInputError` for what
    is no trace.
    """
    source = _read(trace_dict, finished=False)
    metadata = {
        key: value for key, value in source.info.trace_metadata.items() if key not in COUNTED
    }
    tags = {key: value for key, value in source.info.tags.items() if _is_own_tag(key)}

    def open_root(span: Span) -> Any:
        return start_span_no_context(
            span.name,
            span.span_type,
            tags=tags,
            metadata=metadata,
            experiment_id=experiment_id,
            start_time_ns=span.start_time_ns,
        )

    copies = _copy_spans(source.data.spans, None, open_root)
    if not copies:
        raise InvalidInputError("A trace without spans can't be copied.")
    return copies[0].trace_id


def log_trace(
    name: str = "Task",
    request: Any = None,
    response: Any = None,
    intermediate_outputs: dict[str, Any] | None = None,
    attributes: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
    start_time_ms: int | None = None,
    execution_time_ms: int | None = None,
) -> str:
    """Record a trace of one span that has already happened; return its id.

    Without `execution_time_ms` it ends now.
    """
    started_ns = None if start_time_ms is None else start_time_ms * 1_000_000
    said = dict(attributes or {})
    if intermediate_outputs:
        said["mlflow.trace.intermediate_outputs"] = intermediate_outputs
    span = start_span_no_context(
        name, inputs=request, attributes=said, tags=tags, start_time_ns=started_ns
    )
    ended_ns = None
    if execution_time_ms is not None and isinstance(span, LiveSpan):
        ended_ns = span.start_time_ns + execution_time_ms * 1_000_000
    span.end(outputs=response, end_time_ns=ended_ns)
    return span.trace_id


def _read(given: Any, *, finished: bool = True) -> Trace:
    if isinstance(given, dict):
        try:
            given = Trace.from_dict(given)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidInputError(
                f"The dict is not a trace; it must be what Trace.to_dict() returns ({error!r})."
            ) from error
    if not isinstance(given, Trace):
        raise InvalidInputError(f"A trace must be a Trace or its dict, not {type(given).__name__}.")
    if finished and given.info.state is TraceState.IN_PROGRESS:
        raise InvalidInputError(
            "The trace must be ended before adding it to another trace. "
            f"Current status: {given.info.state}."
        )
    return given


def _open_host(remote: Trace) -> Any:
    root = remote.data.root
    start_ns = min((span.start_time_ns for span in remote.data.spans), default=None)
    host = start_span_no_context(
        REMOTE_ROOT.format(root.name if root is not None else remote.trace_id),
        start_time_ns=None if start_ns is None else start_ns - 1,
    )
    if root is not None and isinstance(host, LiveSpan):
        _copy_values(host, root)
    return host


def _end_of(trace: Trace) -> int:
    ends = (span.end_time_ns or span.start_time_ns for span in trace.data.spans)
    return max(ends, default=0)


def _add_context(host: LiveSpan, remote: Trace) -> None:
    trace = host.active_trace
    stated = {
        key: value
        for key, value in remote.info.trace_metadata.items()
        if key in (semconv.SESSION, semconv.TRACE_USER)
        or not (key.startswith(("mlflow.", "whence.")) or key in semconv.METADATA_SOURCES)
    }
    trace.add_computed(stated, "add_trace()")
    tags = {key: value for key, value in remote.info.tags.items() if _is_own_tag(key)}
    trace.add_tags({key: value for key, value in tags.items() if key not in trace.tags})


def _is_own_tag(key: str) -> bool:
    return key not in (semconv.TRACE_NAME_TAG, *semconv.SERVER_TAGS)


def _copy_spans(
    spans: Iterable[Span],
    host: LiveSpan | None,
    open_root: Callable[[Span], Any] | None = None,
) -> list[LiveSpan]:
    """Record copies below a span, or below copies that `open_root` makes; parents first."""
    known = {span.span_id: span for span in spans}
    below: dict[str | None, list[Span]] = {}
    for span in known.values():
        is_top = span.parent_id not in known or span.parent_id == span.span_id
        below.setdefault(None if is_top else span.parent_id, []).append(span)
    copies: list[LiveSpan] = []
    ends: list[tuple[LiveSpan, Span]] = []
    waiting: list[tuple[Span, LiveSpan | None]] = [(span, host) for span in below.get(None, ())]
    while waiting:
        span, parent = waiting.pop()
        if parent is None and open_root is not None and not copies:
            twin = open_root(span)
        else:
            twin = start_span_no_context(
                span.name,
                span.span_type,
                parent_span=parent or (copies[0] if copies else None),
                start_time_ns=span.start_time_ns,
            )
        if not isinstance(twin, LiveSpan):  # switched off meanwhile, or not sampled
            return copies
        _copy_values(twin, span)
        twin.copy_outcome(span.kind, span.status)
        copies.append(twin)
        ends.append((twin, span))
        waiting += [(child, twin) for child in below.get(span.span_id, ())]
    for twin, span in reversed(ends):
        twin.finish(span.end_time_ns or span.start_time_ns)
    return copies


def _copy_values(twin: LiveSpan, span: Span) -> None:
    attributes: Mapping[str, Any] = span.attributes
    for key, value in attributes.items():
        if key in LEFT_BEHIND or (key.startswith(LEFT_PREFIXES) and key not in KEPT_OF_OURS):
            continue
        twin.set_attribute(key, value)
    for event in span.events:
        twin.add_event(event)
    for link in span.links:
        twin.add_link(link)
