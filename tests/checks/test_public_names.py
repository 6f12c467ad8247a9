"""The public names, pinned: adding or removing one is a decision, written down here."""

from __future__ import annotations

import whence

NAMES = [
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
TRACING_NAMES = [
    "configure",
    "context",
    "disable",
    "disable_notebook_display",
    "enable",
    "enable_notebook_display",
    "get_bridged_tracer_provider",
    "get_tracing_context_headers_for_http_request",
    "reset",
    "set_destination",
    "set_span_chat_tools",
    "set_tracing_context_from_http_request_headers",
    "stats",
]
WEB_NAMES = [
    "ASGIMiddleware",
    "DjangoMiddleware",
    "WSGIMiddleware",
    "instrument",
    "pseudonymise_user",
]


def test_the_names_of_whence_are_these():
    assert whence.__all__ == NAMES


def test_the_names_of_whence_tracing_are_these():
    assert whence.tracing.__all__ == TRACING_NAMES


def test_the_names_of_whence_web_are_these():
    assert whence.web.__all__ == WEB_NAMES


def test_every_public_name_is_there_and_says_what_it_does():
    for module in (whence, whence.tracing, whence.web):
        for name in module.__all__:
            assert getattr(module, name).__doc__, name


def test_a_name_that_does_not_exist_is_an_attribute_error():
    assert not hasattr(whence, "no_such_name")
