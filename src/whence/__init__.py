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
from whence.sdk.configure import (
    configure,
    get_tracking_uri,
    is_tracking_uri_set,
    set_tracking_uri,
)

if TYPE_CHECKING:
    from whence import client, exceptions, tracking, web
    from whence.client import MlflowClient
    from whence.exceptions import MlflowException
    from whence.sdk.autolog.switch import autolog
    from whence.sdk.capture.copying import add_trace, log_trace
    from whence.sdk.capture.target import clear_active_model, get_active_model_id, set_active_model
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
    from whence.sdk.reading.bisection import bisect
    from whence.sdk.reading.client import get_trace, search_traces
    from whence.sdk.reading.comparisons import compare, diff_traces
    from whence.sdk.reading.environments import environments
    from whence.sdk.reading.experiments import (
        create_experiment,
        delete_experiment,
        delete_experiment_tag,
        get_experiment,
        get_experiment_by_name,
        restore_experiment,
        search_experiments,
        set_experiment_tag,
        set_experiment_tags,
    )
    from whence.sdk.reading.findings import get_finding, search_findings
    from whence.sdk.reading.flush import (
        flush,
        flush_async_logging,
        flush_trace_async_logging,
    )
    from whence.sdk.reading.sessions import search_sessions
    from whence.sdk.reading.timeline import timeline
    from whence.sdk.reading.versions import diff_versions, get_version, search_versions
    from whence.sdk.version import version
    from whence.tracing import context

__all__ = [
    "MlflowClient",
    "MlflowException",
    "add_trace",
    "autolog",
    "bisect",
    "clear_active_model",
    "client",
    "compare",
    "configure",
    "context",
    "create_experiment",
    "delete_assessment",
    "delete_experiment",
    "delete_experiment_tag",
    "delete_trace_tag",
    "diff_traces",
    "diff_versions",
    "entities",
    "environments",
    "exceptions",
    "flush",
    "flush_async_logging",
    "flush_trace_async_logging",
    "get_active_model_id",
    "get_active_trace_id",
    "get_assessment",
    "get_current_active_span",
    "get_experiment",
    "get_experiment_by_name",
    "get_finding",
    "get_last_active_trace_id",
    "get_trace",
    "get_tracking_uri",
    "get_version",
    "is_tracking_uri_set",
    "log_assessment",
    "log_expectation",
    "log_feedback",
    "log_issue",
    "log_trace",
    "override_feedback",
    "restore_experiment",
    "search_experiments",
    "search_findings",
    "search_sessions",
    "search_traces",
    "search_versions",
    "set_active_model",
    "set_experiment",
    "set_experiment_tag",
    "set_experiment_tags",
    "set_trace_tag",
    "set_tracking_uri",
    "start_span",
    "start_span_no_context",
    "timeline",
    "trace",
    "tracing",
    "tracking",
    "update_assessment",
    "update_current_trace",
    "version",
    "web",
]

# Loaded at first use (PEP 562): the client, the exporter and the web middlewares bring modules that
# capture can do without.
MODULES = ("client", "exceptions", "tracking", "web")
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
        "whence.sdk.reading.bisection": ("bisect",),
        "whence.sdk.reading.client": ("get_trace", "search_traces"),
        "whence.sdk.reading.comparisons": ("compare", "diff_traces"),
        "whence.sdk.reading.environments": ("environments",),
        "whence.sdk.reading.findings": ("get_finding", "search_findings"),
        "whence.sdk.reading.flush": ("flush", "flush_async_logging", "flush_trace_async_logging"),
        "whence.client": ("MlflowClient",),
        "whence.tracing": ("context",),
        "whence.exceptions": ("MlflowException",),
        "whence.sdk.autolog.switch": ("autolog",),
        "whence.sdk.capture.copying": ("add_trace", "log_trace"),
        "whence.sdk.capture.target": (
            "clear_active_model",
            "get_active_model_id",
            "set_active_model",
        ),
        "whence.sdk.reading.experiments": (
            "create_experiment",
            "delete_experiment",
            "delete_experiment_tag",
            "get_experiment",
            "get_experiment_by_name",
            "restore_experiment",
            "search_experiments",
            "set_experiment_tag",
            "set_experiment_tags",
        ),
        "whence.sdk.reading.sessions": ("search_sessions",),
        "whence.sdk.reading.timeline": ("timeline",),
        "whence.sdk.reading.versions": ("diff_versions", "get_version", "search_versions"),
        "whence.sdk.version": ("version",),
    }.items()
    for name in names
} | {name: f"whence.{name}" for name in MODULES}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    module = _LAZY.get(name)
    if module is None:
        value = globals()[name] = import_module("whence.sdk.foreign_names").find(name)
        return value

    found = import_module(module)
    value = globals()[name] = found if module == f"whence.{name}" else getattr(found, name)
    return value


def __dir__() -> list[str]:
    return __all__
