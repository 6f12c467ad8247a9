"""The traces that are open in this process, and what is said about each until its root ends.

A trace here is our topmost span and what hangs on it: its context (metadata, tags, previews,
state) travels on that span and is fixed when it ends. Two of our topmost spans under one foreign
parent are two entries with one trace id. A forked child starts with none: `generation` tells its
spans from those that its parent has still to end. `inherited` are the parent's open ones, which
the child may mention but not end.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from msgspec.json import encode as json_encode

from whence import semconv
from whence.sdk import diagnostics
from whence.sdk.capture import ids
from whence.sdk.capture.trace_metadata import Scope, clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from whence.sdk.capture.span import LiveSpan
    from whence.sdk.settings import ExperimentKey

PENDING_AFTER_NS = 1_000_000_000
MAX_OPEN = 10_000
COMPUTED_SOURCE = "configure()"
SAID = (  # attribute of a trace → key on the wire
    ("client_request_id", semconv.CLIENT_REQUEST_ID),
    ("request_preview", semconv.REQUEST_PREVIEW),
    ("response_preview", semconv.RESPONSE_PREVIEW),
    ("state", semconv.TRACE_STATE),
)


class ActiveTrace:
    """One trace, from the start of its topmost span to its end."""

    __slots__ = (
        "assessments",
        "client_request_id",
        "clock_offset_ns",
        "experiment",
        "is_closed",
        "is_local",
        "metadata",
        "request_preview",
        "response_preview",
        "revision",
        "root",
        "sent_revision",
        "sources",
        "state",
        "tags",
        "trace_id",
        "trace_state",
        "truncated",
    )

    root: LiveSpan

    def __init__(self, trace_id: int, experiment: ExperimentKey, scope: Scope) -> None:
        self.trace_id = trace_id
        self.experiment = experiment
        self.metadata = scope.metadata.copy()
        self.tags = scope.tags.copy()
        self.truncated: frozenset[str] = scope.truncated
        # Where values come from that the program did not state for this very trace.
        self.sources = scope.sources.copy()
        self.client_request_id = scope.client_request_id
        # What was judged of the trace while it is open, in MLflow's JSON form, by id.
        self.assessments: dict[str, dict[str, Any]] | None = None
        self.request_preview: str | None = None
        self.response_preview: str | None = None
        self.state: str | None = None
        self.is_local = False  # a local root: our topmost span has a parent that we did not record
        self.is_closed = False
        self.trace_state: Any = None  # OpenTelemetry's TraceState of a remote parent
        self.revision = 0
        self.sent_revision = -1
        sources = ids.sources
        self.clock_offset_ns = sources.wall_ns() - sources.monotonic_ns()

    def now_ns(self) -> int:
        """Return the time since the epoch on this trace's monotonic clock."""
        return ids.sources.monotonic_ns() + self.clock_offset_ns

    def add_metadata(self, given: Mapping[Any, Any]) -> None:
        """Merge metadata, later wins; ignored and counted once the root has ended."""
        if self.refuses_writes("metadata"):
            return
        entries, cut = clean(given, "metadata")
        self.metadata.update(entries)
        if cut:
            self.truncated |= frozenset(cut)
        if self.sources:
            for key in entries:
                self.sources.pop(key, None)
        self.revision += 1

    def add_computed(self, given: Mapping[Any, Any], source: str = COMPUTED_SOURCE) -> None:
        """Add what was found out for this very trace; what is there is stronger."""
        entries, cut = clean(given, "metadata")
        for key, value in entries.items():
            if key not in self.metadata:
                self.metadata[key] = value
                self.sources[key] = source
                if key in cut:
                    self.truncated |= {key}

    def add_tags(self, given: Mapping[Any, Any]) -> None:
        """Merge tags, later wins."""
        if self.refuses_writes("tags"):
            return
        self.tags.update(clean(given, "tags")[0])
        self.revision += 1

    def add_assessment(self, form: dict[str, Any]) -> None:
        """Take a judgement in MLflow's JSON form, in place of the one with its id."""
        if self.assessments is None:
            self.assessments = {}
        self.assessments[form["assessment_id"]] = form
        self.revision += 1

    def say(self, **said: str | None) -> None:
        """Set `client_request_id`, the previews or the state; None leaves one as it is."""
        if self.refuses_writes("context"):
            return
        for name, text in said.items():
            if text is not None:
                setattr(self, name, text)
                self.revision += 1

    def refuses_writes(self, what: str) -> bool:
        """Return whether it is too late to write; say so in the log."""
        if self.is_closed:
            diagnostics.warn(
                "late_writes",
                "The trace %s has ended; its %s can't be changed any more. The write is ignored.",
                ids.format_trace_id(self.trace_id),
                what,
            )
        return self.is_closed

    def close(self) -> None:
        """Fix the context: the root has ended."""
        self.is_closed = True
        registry.pop(id(self), None)
        last.trace_id = _on_thread.trace_id = self.trace_id


class _Last:
    trace_id: int | None = None


class _LastOnThread(threading.local):
    trace_id: int | None = None


registry: dict[int, ActiveTrace] = {}
inherited: dict[int, ActiveTrace] = {}  # by trace id
last = _Last()
_on_thread = _LastOnThread()
generation = 0  # one more in every forked child


def open_trace(trace: ActiveTrace, root: LiveSpan) -> None:
    """Enter a trace whose topmost span starts now."""
    trace.root = root
    registry[id(trace)] = trace
    if len(registry) > MAX_OPEN:
        _forget_oldest()


def _forget_oldest() -> None:
    """Let go of the trace that has been open longest; a program may never end its roots."""
    oldest = next(iter(list(registry)), None)
    if oldest is not None and registry.pop(oldest, None) is not None:
        diagnostics.warn(
            "never_ended",
            "More than %d traces are open at once; the oldest are not reported while they are "
            "open. Is a span never ended?",
            MAX_OPEN,
        )


def find_open(trace_id: str) -> ActiveTrace | None:
    """Return the open trace with this public id, or None."""
    number = ids.parse_trace_id(trace_id)
    return next((trace for trace in list(registry.values()) if trace.trace_id == number), None)


def last_trace_id(*, thread_local: bool) -> str | None:
    """Return the id of the trace that ended last in this process or this thread."""
    number = _on_thread.trace_id if thread_local else last.trace_id
    return None if number is None else ids.format_trace_id(number)


def changed_traces() -> list[ActiveTrace]:
    """Return the traces open for over a second whose context changed since they were returned."""
    due = []
    for trace in list(registry.values()):
        if trace.sent_revision != trace.revision:
            started_ns = trace.root.start_time_ns
            if trace.now_ns() - started_ns >= PENDING_AFTER_NS:
                trace.sent_revision = trace.revision
                due.append(trace)
    return due


def report_again() -> None:
    """Have `changed_traces` return what it returned before."""
    for trace in list(registry.values()):
        trace.sent_revision = -1


def describe(trace: ActiveTrace) -> dict[str, Any]:
    """Return the attributes that carry a trace's context on its topmost span."""
    attributes: dict[str, Any] = {
        semconv.METADATA_PREFIX + key: value for key, value in trace.metadata.copy().items()
    }
    for key, value in trace.tags.copy().items():
        attributes[semconv.TRACE_TAG_PREFIX + key] = value
    for name, key in SAID:
        text = getattr(trace, name)
        if text is not None:
            attributes[key] = text
    if trace.truncated:
        attributes[semconv.METADATA_PREFIX + semconv.TRUNCATED] = ",".join(sorted(trace.truncated))
    if trace.sources:
        attributes[semconv.PROVENANCE] = json_encode(trace.sources.copy()).decode()
    if trace.assessments:
        texts = json_encode(list(trace.assessments.copy().values()))
        attributes[semconv.ASSESSMENTS] = texts.decode()
    if trace.is_local:
        attributes[semconv.LOCAL_ROOT] = True
    return attributes


def forget() -> None:
    """Drop all open traces: a forked child must not send its parent's."""
    global generation  # noqa: PLW0603 - process-wide by nature
    generation += 1
    registry.clear()
    inherited.clear()
    last.trace_id = None


def inherit() -> None:
    """In a forked child: drop all open traces, and remember them as the parent's."""
    before = {trace.trace_id: trace for trace in list(registry.values())}
    forget()
    inherited.update(before)
