"""Names of MLflow's API that Whence leaves out on purpose, and why; as data.

Whoever asks for one gets an `AttributeError` that gives the reason; `docs/mlflow-api.md` has all.
"""

from __future__ import annotations

RUNS = (
    "Whence keeps traces, not runs. Keep mlflow for runs beside it: a trace that starts inside "
    "mlflow.start_run() names the run (metadata mlflow.sourceRun), and so does start_span(run_id=…)"
)
MODELS = (
    "Whence keeps traces, no models; set_active_model() gives traces the id of one. Keep mlflow "
    "for models beside it"
)
PROMPTS = (
    "Whence keeps traces, no registry of prompts; MlflowClient.link_prompt_versions_to_trace notes "
    "which versions a trace used"
)
EVALUATION = "Whence compares versions by their traces; log_feedback() takes what a judge says"
DATABRICKS = "it speaks of Databricks; Whence keeps traces in experiments of its own store"
INTERNAL = "it is a part of MLflow's implementation"
PROTO = "spans and traces travel as OTLP; use to_dict() and from_dict()"
ATTACHMENTS = "payloads are kept in the span, as the value or the text that was given"
WORKSPACES = "a store is one workspace; WHENCE_URL names the store"
OTHERS = "it is no part of tracing"
DATASETS = "Whence keeps traces, no datasets"

LEFT_OUT: dict[str, dict[str, str]] = {
    "whence": {
        **dict.fromkeys(
            (
                "ActiveRun",
                "Image",
                "active_run",
                "delete_run",
                "delete_tag",
                "disable_system_metrics_logging",
                "enable_system_metrics_logging",
                "end_run",
                "flush_artifact_async_logging",
                "get_artifact_uri",
                "get_parent_run",
                "get_run",
                "import_checkpoints",
                "last_active_run",
                "load_table",
                "log_artifact",
                "log_artifacts",
                "log_dict",
                "log_figure",
                "log_image",
                "log_input",
                "log_inputs",
                "log_metric",
                "log_metrics",
                "log_param",
                "log_params",
                "log_stream",
                "log_table",
                "log_text",
                "projects",
                "restore_run",
                "run",
                "search_runs",
                "set_system_metrics_node_id",
                "set_system_metrics_samples_before_logging",
                "set_system_metrics_sampling_interval",
                "set_tag",
                "set_tags",
                "start_run",
            ),
            RUNS,
        ),
        **dict.fromkeys(
            (
                "ActiveModel",
                "create_external_model",
                "delete_logged_model_tag",
                "finalize_logged_model",
                "get_logged_model",
                "initialize_logged_model",
                "last_logged_model",
                "log_model_params",
                "log_outputs",
                "models",
                "pyfunc",
                "register_model",
                "search_logged_models",
                "search_model_versions",
                "search_registered_models",
                "set_logged_model_tags",
                "set_model_version_tag",
                "sklearn",
            ),
            MODELS,
        ),
        **dict.fromkeys(
            (
                "delete_prompt_alias",
                "load_prompt",
                "register_prompt",
                "search_prompts",
                "set_prompt_alias",
            ),
            PROMPTS,
        ),
        **dict.fromkeys(
            ("evaluate", "genai", "metrics", "validate_evaluation_results"), EVALUATION
        ),
        **dict.fromkeys(
            (
                "create_workspace",
                "delete_workspace",
                "get_workspace",
                "list_workspaces",
                "set_workspace",
                "update_workspace",
            ),
            WORKSPACES,
        ),
        **dict.fromkeys(("doctor", "gateway", "login", "test"), OTHERS),
        **dict.fromkeys(("data", "get_registry_uri", "set_registry_uri"), DATASETS),
    },
    "whence.tracing": {
        **dict.fromkeys(
            (
                "set_databricks_monitoring_sql_warehouse_id",
                "set_experiment_trace_location",
                "unset_experiment_trace_location",
            ),
            DATABRICKS,
        ),
        **dict.fromkeys(
            ("client", "constant", "fluent", "provider", "trace_manager", "utils"), INTERNAL
        ),
        "attachments": ATTACHMENTS,
    },
    "whence.entities": {
        "Attachment": ATTACHMENTS,
        "Issue": "Whence keeps no issues, only references to them: `IssueReference`",
        "LiveSpan": "annotate with `Span`, which what start_span() yields is one of",
        "NoOpSpan": "annotate with `Span`, which what is not recorded is one of",
        "TraceStatus": "it is deprecated in MLflow; use `TraceState`",
        **dict.fromkeys(
            (
                "InferenceTableLocation",
                "UCSchemaLocation",
                "UcTablePrefixLocation",
                "UnityCatalog",
            ),
            DATABRICKS,
        ),
    },
    "MlflowClient": {
        "link_traces_to_run": RUNS,
        "unlink_traces_from_run": RUNS,
        **dict.fromkeys(
            (
                "create_run",
                "delete_run",
                "delete_tag",
                "download_artifacts",
                "get_metric_history",
                "get_run",
                "list_artifacts",
                "log_artifact",
                "log_artifacts",
                "log_batch",
                "log_dict",
                "log_figure",
                "log_image",
                "log_inputs",
                "log_metric",
                "log_outputs",
                "log_param",
                "log_params",
                "log_stream",
                "log_table",
                "log_text",
                "rename_run",
                "restore_run",
                "search_runs",
                "set_tag",
                "set_terminated",
                "update_run",
            ),
            RUNS,
        ),
    },
    "Span": {"to_otel_proto": PROTO, "from_otel_proto": PROTO},
    "Trace": {"to_proto": PROTO, "from_proto": PROTO},
}


def describe_absence(owner: str, name: str) -> str:
    """Return the text of the `AttributeError` for a name that is not there."""
    start = f"{owner!r} has no attribute {name!r}"
    reason = LEFT_OUT.get(owner, {}).get(name)
    return start if reason is None else f"{start}; it is left out on purpose: {reason}."
