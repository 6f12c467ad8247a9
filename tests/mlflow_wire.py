"""Requests as clients of MLflow write them, for tests of the server's answers."""

from __future__ import annotations

import base64
from typing import Any

TRACES = "/api/3.0/mlflow/traces"
EXPERIMENTS = "/api/2.0/mlflow/experiments"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
SPAN_ID = "00f067aa0ba902b7"


def header(trace_id: str, experiment_id: str = "0", **fields: Any) -> dict[str, Any]:
    """Return the body that starts a trace; `fields` replace those of its header."""
    info = {
        "trace_id": trace_id,
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": experiment_id},
        },
        "request_time": "2023-11-14T22:13:20.000Z",
        "execution_duration": "0.165s",
        "state": "OK",
        "trace_metadata": {"app_version": "1.4"},
        "tags": {"mlflow.traceName": "answer"},
    }
    return {"trace": {"trace_info": {**info, **fields}}}


def located(*experiment_ids: str, **fields: Any) -> dict[str, Any]:
    """Return the body of a search."""
    locations = [
        {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": one}}
        for one in experiment_ids
    ]
    return {"locations": locations, **fields}


def file_span(trace_id: str, span_id: str = SPAN_ID, **fields: Any) -> dict[str, Any]:
    """Return a span as `traces.json` has it."""
    return {
        "trace_id": base64.b64encode(bytes.fromhex(trace_id.removeprefix("tr-"))).decode(),
        "span_id": base64.b64encode(bytes.fromhex(span_id)).decode(),
        "parent_span_id": None,
        "name": "answer",
        "start_time_unix_nano": 1_700_000_000_000_000_000,
        "end_time_unix_nano": 1_700_000_000_165_000_000,
        "events": [],
        "status": {"code": "STATUS_CODE_OK", "message": ""},
        "attributes": {
            "mlflow.spanInputs": '{"q": 1}',
            "mlflow.spanType": '"LLM"',
            "mlflow.traceRequestId": f'"{trace_id}"',
        },
        **fields,
    }


def read_attributes(span: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a span in protobuf's JSON, decoded."""
    return {one["key"]: read_value(one.get("value", {})) for one in span["attributes"]}


def read_value(value: dict[str, Any]) -> Any:
    """Return a typed value."""
    if "kvlist_value" in value:
        pairs = value["kvlist_value"]["values"]
        return {one["key"]: read_value(one.get("value", {})) for one in pairs}
    if "array_value" in value:
        return [read_value(one) for one in value["array_value"]["values"]]
    return next(iter(value.values()), None)
