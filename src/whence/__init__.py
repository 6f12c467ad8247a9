"""Whence says which code, which version and which environment a trace came from.

The story, folder by folder: `otlp` is the wire; `sdk` captures what a program does and sends it;
`store` keeps it; `ingest` brings it there, assembled to traces; `query` finds it again;
`analysis` compares versions; `server` serves all of that, and `cli` drives it from a terminal.
`entities`, `semconv` and `errors` are the ground they stand on.

Importing this package loads only the capture side. What needs a server is an HTTP call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whence import entities, tracing
from whence.sdk.capture.current import (
    delete_trace_tag,
    get_active_trace_id,
    get_current_active_span,
    get_last_active_trace_id,
    set_experiment,
    set_trace_tag,
    update_current_trace,
)
from whence.sdk.capture.decorator import trace
from whence.sdk.capture.scope import start_span, start_span_no_context
from whence.sdk.configure import configure, get_tracking_uri, set_tracking_uri

if TYPE_CHECKING:
    from whence import web
    from whence.sdk.reading.assessments import (
        delete_assessment,
        get_assessment,
        log_assessment,
        log_expectation,
        log_feedback,
        log_issue,
        override_feedback,
        update_assessment,
    )
    from whence.sdk.reading.client import get_trace, search_traces
    from whence.sdk.reading.flush import flush, flush_trace_async_logging

__all__ = [
    "configure",
    "delete_assessment",
    "delete_trace_tag",
    "entities",
    "flush",
    "flush_trace_async_logging",
    "get_active_trace_id",
    "get_assessment",
    "get_current_active_span",
    "get_last_active_trace_id",
    "get_trace",
    "get_tracking_uri",
    "log_assessment",
    "log_expectation",
    "log_feedback",
    "log_issue",
    "override_feedback",
    "search_traces",
    "set_experiment",
    "set_trace_tag",
    "set_tracking_uri",
    "start_span",
    "start_span_no_context",
    "trace",
    "tracing",
    "update_assessment",
    "update_current_trace",
    "web",
]

# Loaded at first use (PEP 562): the client, the exporter and the web middlewares bring modules that
# capture can do without.
_LAZY = {
    name: module
    for module, names in {
        "whence.sdk.reading.assessments": (
            "delete_assessment",
            "get_assessment",
            "log_assessment",
            "log_expectation",
            "log_feedback",
            "log_issue",
            "override_feedback",
            "update_assessment",
        ),
        "whence.sdk.reading.client": ("get_trace", "search_traces"),
        "whence.sdk.reading.flush": ("flush", "flush_trace_async_logging"),
        "whence.web": ("web",),  # the module itself
    }.items()
    for name in names
}


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module 'whence' has no attribute {name!r}")
    from importlib import import_module

    found = import_module(module)
    value = globals()[name] = found if module == f"whence.{name}" else getattr(found, name)
    return value


def __dir__() -> list[str]:
    return __all__
