"""Write docs/mlflow-api.md: MLflow's tracing API name by name, and what each is in Whence.

The tables are here, what is left out on purpose in `whence.left_out`, which raises its reasons.
Run it as `python scripts/mlflow_api.py`; a test compares the page, and the names with MLflow's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import whence
from whence.left_out import LEFT_OUT
from whence.sdk.autolog.flavors import ELSEWHERE, FLAVORS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "mlflow-api.md"


class Section(NamedTuple):
    """Names of one owner: `owner` is where Whence has them, `prefix` how MLflow writes them."""

    title: str
    owner: str
    prefix: str
    names: tuple[str, ...]


SECTIONS = (
    Section(
        "Functions",
        "whence",
        "mlflow.",
        (
            "trace",
            "start_span",
            "start_span_no_context",
            "get_current_active_span",
            "get_active_trace_id",
            "get_last_active_trace_id",
            "update_current_trace",
            "context",
            "get_trace",
            "search_traces",
            "search_sessions",
            "set_trace_tag",
            "delete_trace_tag",
            "log_feedback",
            "log_expectation",
            "log_assessment",
            "get_assessment",
            "update_assessment",
            "override_feedback",
            "delete_assessment",
            "log_issue",
            "add_trace",
            "log_trace",
            "set_experiment",
            "create_experiment",
            "get_experiment",
            "get_experiment_by_name",
            "search_experiments",
            "delete_experiment",
            "restore_experiment",
            "set_experiment_tag",
            "set_experiment_tags",
            "delete_experiment_tag",
            "set_tracking_uri",
            "get_tracking_uri",
            "is_tracking_uri_set",
            "set_active_model",
            "get_active_model_id",
            "clear_active_model",
            "flush_trace_async_logging",
            "flush_async_logging",
            "autolog",
            "MlflowClient",
            "MlflowException",
            "client",
            "entities",
            "exceptions",
            "tracing",
            "tracking",
        ),
    ),
    Section(
        "Tracing",
        "whence.tracing",
        "mlflow.tracing.",
        (
            "configure",
            "context",
            "disable",
            "enable",
            "disable_notebook_display",
            "enable_notebook_display",
            "get_bridged_tracer_provider",
            "get_tracing_context_headers_for_http_request",
            "reset",
            "set_destination",
            "set_span_chat_tools",
            "set_tracing_context_from_http_request_headers",
        ),
    ),
    Section(
        "The client",
        "MlflowClient",
        "MlflowClient.",
        (
            "start_trace",
            "end_trace",
            "start_span",
            "end_span",
            "get_trace",
            "search_traces",
            "delete_traces",
            "set_trace_tag",
            "delete_trace_tag",
            "log_assessment",
            "get_assessment",
            "update_assessment",
            "delete_assessment",
            "link_prompt_versions_to_trace",
            "create_experiment",
            "get_experiment",
            "get_experiment_by_name",
            "search_experiments",
            "rename_experiment",
            "delete_experiment",
            "restore_experiment",
            "set_experiment_tag",
            "delete_experiment_tag",
        ),
    ),
    Section(
        "Entities",
        "whence.entities",
        "mlflow.entities.",
        (
            "Assessment",
            "AssessmentError",
            "AssessmentSource",
            "AssessmentSourceType",
            "Document",
            "Expectation",
            "Experiment",
            "Feedback",
            "IssueReference",
            "Link",
            "MlflowExperimentLocation",
            "Session",
            "Span",
            "SpanEvent",
            "SpanLogLevel",
            "SpanStatus",
            "SpanStatusCode",
            "SpanType",
            "Trace",
            "TraceData",
            "TraceInfo",
            "TraceLocation",
            "TraceLocationType",
            "TraceState",
        ),
    ),
    Section(
        "Spans",
        "Span",
        "Span.",
        (
            "trace_id",
            "request_id",
            "span_id",
            "parent_id",
            "name",
            "start_time_ns",
            "end_time_ns",
            "status",
            "inputs",
            "outputs",
            "span_type",
            "log_level",
            "description",
            "model_name",
            "llm_cost",
            "attributes",
            "events",
            "links",
            "get_attribute",
            "to_dict",
            "from_dict",
            "from_dict_v2",
        ),
    ),
    Section(
        "Spans that are being recorded",
        "LiveSpan",
        "LiveSpan.",
        (
            "set_inputs",
            "set_outputs",
            "set_attribute",
            "set_attributes",
            "set_status",
            "set_span_type",
            "set_description",
            "set_log_level",
            "add_event",
            "add_link",
            "record_exception",
            "end",
            "to_immutable_span",
        ),
    ),
    Section(
        "Traces",
        "Trace",
        "Trace.",
        (
            "trace_id",
            "search_spans",
            "search_assessments",
            "to_dict",
            "to_json",
            "from_dict",
            "from_dictionary",
            "from_json",
            "to_pandas_dataframe_row",
            "pandas_dataframe_columns",
        ),
    ),
    Section(
        "Headers of traces",
        "TraceInfo",
        "TraceInfo.",
        (
            "request_id",
            "experiment_id",
            "request_metadata",
            "timestamp_ms",
            "execution_time_ms",
            "status",
            "token_usage",
            "cost",
            "to_dict",
            "from_dict",
        ),
    ),
)

# What is there and differs; everything else in the sections does the same.
DIFFERS: dict[str, str] = {
    "mlflow.trace": "generators that are left early, `send()`, return values and cancellations are "
    "recorded; no value that is traced can raise into the function",
    "mlflow.get_trace": "returns a trace in progress too, in state `IN_PROGRESS`",
    "mlflow.search_traces": "`extract_fields` is refused: take columns of the DataFrame; traces in "
    "progress are found with what has arrived of them",
    "mlflow.search_sessions": "`model_id` works, and so does a session id with quotes",
    "mlflow.set_experiment": "looks nothing up: the id follows from the name, and the server makes "
    "the experiment known with its first trace",
    "mlflow.create_experiment": "`artifact_location` and `trace_location` are refused",
    "mlflow.set_active_model": "creates and looks up no model; with a name, the id follows from "
    "it and the name becomes the metadata `whence.model_name`",
    "mlflow.log_feedback": "an integer stays one; a trace that is open in any thread of the "
    "process is judged without a request",
    "mlflow.log_issue": "keeps the reference alone, no issue",
    "mlflow.add_trace": "the copies get span ids of their own, so a trace can be added twice",
    "mlflow.autolog": "switches on installed OpenInference instrumentors, and names those that are "
    "missing",
    "mlflow.flush_trace_async_logging": "returns as soon as all is delivered",
    "mlflow.exceptions": "`MlflowException` and `RestException` are both "
    "`whence.errors.WhenceError`",
    "mlflow.tracing.configure": "refuses a wrong processor at once; where a processor raises, the "
    "span's inputs and outputs are withheld",
    "mlflow.context": "is a decorator too",
    "mlflow.tracing.context": "is a decorator too",
    "mlflow.tracing.get_bridged_tracer_provider": "gives Whence's own provider, with no SDK of "
    "OpenTelemetry behind it",
    "mlflow.tracing.set_tracing_context_from_http_request_headers": "spans, tags and metadata of "
    "the called service are kept",
    "mlflow.tracing.set_destination": "takes experiments alone",
    "mlflow.tracing.enable_notebook_display": "a trace shows its spans as HTML in the cell",
    "MlflowClient.search_traces": "without locations it searches the active experiment",
    "MlflowClient.end_span": "a span that is not open raises `NotFoundError`",
    "MlflowClient.delete_traces": "a trace that is deleted stays deleted when it is delivered "
    "again",
    "mlflow.entities.Experiment": "frozen; `lifecycle_stage`, `tags` and times as in MLflow",
}

# MLflow's environment variables: what stands for each, or why it means nothing here.
HONOURED: dict[str, str] = {
    "MLFLOW_TRACKING_URI": "`WHENCE_URL`",
    "MLFLOW_TRACKING_TOKEN": "`WHENCE_API_KEY`",
    "MLFLOW_TRACKING_USERNAME": "the user of the process (metadata `mlflow.user`)",
    "MLFLOW_EXPERIMENT_NAME": "`WHENCE_EXPERIMENT`",
    "MLFLOW_EXPERIMENT_ID": "the active experiment, by its id",
    "MLFLOW_TRACING_DESTINATION": "`whence.tracing.set_destination()`, by an experiment's id",
    "MLFLOW_ACTIVE_MODEL_ID": "`whence.set_active_model(model_id=…)`",
    "MLFLOW_RUN_CONTEXT": "tags of MLflow's allow-list, beside Whence's own context",
    "MLFLOW_TRACE_SAMPLING_RATIO": "`WHENCE_SAMPLING_RATIO`",
    "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "`false` is `WHENCE_SYNCHRONOUS=1`",
}
IGNORED: dict[str, str] = {
    "MLFLOW_ASYNC_TRACE_LOGGING_MAX_INTERVAL_MILLIS": "the first spans leave at once, then "
    "batches leave within a second",
    "MLFLOW_ASYNC_TRACE_LOGGING_MAX_QUEUE_SIZE": "what waits is bounded in bytes, and spooled to "
    "disk",
    "MLFLOW_ASYNC_TRACE_LOGGING_MAX_SPAN_BATCH_SIZE": "batches are bounded in bytes",
    "MLFLOW_ASYNC_TRACE_LOGGING_MAX_WORKERS": "one thread delivers",
    "MLFLOW_ASYNC_TRACE_LOGGING_RETRY_TIMEOUT": "what can't be delivered waits on disk",
    "MLFLOW_DELETE_TRACES_MAX_BATCH_SIZE": "500 traces are deleted by one request",
    "MLFLOW_DISABLE_TELEMETRY": "Whence tells nobody of its use",
    "MLFLOW_ENABLE_OTEL_GENAI_SEMCONV": "the server reads both vocabularies",
    "MLFLOW_ENABLE_OTLP_EXPORTER": "the wire is OTLP; set `WHENCE_URL` to any collector",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "what can't be delivered waits on disk",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "what can't be delivered waits on disk",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "what can't be delivered waits on disk",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "delivery never holds the program up",
    "MLFLOW_MODEL_CATALOG_URI": "prices come with the server, which asks nobody",
    "MLFLOW_SEARCH_TRACES_MAX_BATCH_SIZE": "a page comes with its spans, by one request",
    "MLFLOW_SEARCH_TRACES_MAX_THREADS": "a page comes with its spans, by one request",
    "MLFLOW_TRACE_BUFFER_MAX_SIZE": "spans leave when they end, whether or not their trace has",
    "MLFLOW_TRACE_BUFFER_TTL_SECONDS": "spans leave when they end, whether or not their trace has",
    "MLFLOW_TRACE_ENABLE_OTLP_DUAL_EXPORT": "`add_span_processor` of the tracer provider sends to "
    "a second place",
    "MLFLOW_TRACE_EXTRACT_ATTACHMENTS": "payloads are kept in the span",
    "MLFLOW_TRACE_MAX_ATTACHMENT_SIZE": "payloads are kept in the span",
    "MLFLOW_TRACE_PROPAGATE_TO_OTEL_CONTEXT": "spans always lie in OpenTelemetry's context",
    "MLFLOW_TRACE_TIMEOUT_CHECK_INTERVAL_SECONDS": "a trace that never ends is kept as unfinished",
    "MLFLOW_TRACE_TIMEOUT_SECONDS": "a trace that never ends is kept as unfinished",
    "MLFLOW_TRACE_USE_ISOLATED_RANDOM_ID_GENERATOR": "ids always come from a generator of their "
    "own",
    "MLFLOW_TRACKING_AUTH": "a server takes an API key",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH": "a server takes an API key",
    "MLFLOW_TRACKING_INSECURE_TLS": "certificates are always checked",
    "MLFLOW_TRACKING_PASSWORD": "a server takes an API key",
    "MLFLOW_TRACKING_SERVER_CERT_PATH": "`SSL_CERT_FILE` names further certificates, as for all "
    "of Python",
    "MLFLOW_TRUNCATE_LONG_VALUES": "metadata is cut at 8,000 characters, and `whence.truncated` "
    "names it",
    "MLFLOW_USE_BATCH_SPAN_PROCESSOR": "spans always leave in batches",
    "MLFLOW_USE_DEFAULT_TRACER_PROVIDER": "`whence.configure(otel=True)` shares OpenTelemetry's",
    "MLFLOW_WORKSPACE": "a store is one workspace",
}


def resolve(owner: str, name: str) -> Any:
    """Return what Whence has under a name of a section. Raises `AttributeError`."""
    return getattr(find_owner(owner), name)


def find_owner(owner: str) -> Any:
    """Return the module or the class that has a section's names."""
    if owner == "LiveSpan":
        from whence.sdk.capture.span import LiveSpan

        return LiveSpan
    if owner in ("Span", "Trace", "TraceInfo"):
        return getattr(whence.entities, owner)
    if owner == "MlflowClient":
        return whence.MlflowClient
    return {
        "whence": whence,
        "whence.tracing": whence.tracing,
        "whence.entities": whence.entities,
    }[owner]


def write_page() -> str:
    """Return the page."""
    parts = [
        "# MLflow's tracing API in Whence\n",
        "*Generated by `scripts/mlflow_api.py`; tests compare it with MLflow itself.*\n",
        "With `import whence as mlflow` these names are there. What is marked *same* takes the",
        "arguments of MLflow's and does what it does. A name that is left out on purpose raises an",
        "`AttributeError` with the reason. What differs in what is stored: [MLflow](mlflow.md).",
    ]
    for section in SECTIONS:
        parts += [f"\n## {section.title}\n", "| MLflow | Whence |", "|---|---|"]
        for name in section.names:
            full = section.prefix + name
            how = f"differs: {DIFFERS[full]}" if full in DIFFERS else "same"
            parts.append(f"| `{full}` | {how} |")
        parts += _write_left_out(section)
    parts += ["\n## Autologging\n", "| MLflow | Whence |", "|---|---|"]
    for name in sorted({*FLAVORS, *ELSEWHERE}):
        how = (
            f"needs `{FLAVORS[name].distribution}`"
            if name in FLAVORS
            else f"left out: {ELSEWHERE[name]}"
        )
        parts.append(f"| `mlflow.{name}.autolog` | {how} |")
    parts += ["\n## Environment variables\n", "| MLflow | Whence |", "|---|---|"]
    parts += [f"| `{name}` | {text} |" for name, text in HONOURED.items()]
    parts += [f"| `{name}` | ignored: {text} |" for name, text in IGNORED.items()]
    return "\n".join(parts) + "\n"


def _write_left_out(section: Section) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for name, reason in LEFT_OUT.get(section.owner, {}).items():
        by_reason.setdefault(reason, []).append(f"`{section.prefix}{name}`")
    return [f"| {', '.join(names)} | left out: {reason} |" for reason, names in by_reason.items()]


if __name__ == "__main__":
    PAGE.write_text(write_page(), encoding="utf-8")
