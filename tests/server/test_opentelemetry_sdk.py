"""A plain OpenTelemetry SDK program: real exporter, real server, found by metadata filters."""

from __future__ import annotations

import subprocess
import sys

import pytest

from serving import clean_environment

PROGRAM = """
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider(resource=Resource.create({
    "service.name": "checkout",
    "service.version": "2.1.0",
    "deployment.environment.name": "prod",
    "vcs.ref.head.revision": "abc123",
    "mlflow.experimentId": "4000",
}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
with trace.get_tracer("program").start_as_current_span("chat", attributes={
    "session.id": "session-1",
    "enduser.id": "user-1",
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
}):
    with trace.get_tracer("program").start_as_current_span("lookup"):
        pass
provider.shutdown()
"""
FILTERS = (
    "metadata.environment = 'prod'",
    "environment = 'production'",
    "metadata.app_version = '2.1.0'",
    "metadata.app_version >= '2.0'",
    "metadata.`mlflow.trace.session` = 'session-1'",
    "metadata.`mlflow.trace.user` = 'user-1'",
    "metadata.`mlflow.source.git.commit` = 'abc123'",
    "metadata.`service.name` = 'checkout'",
)


@pytest.fixture(scope="module", params=["none", "gzip", "deflate"])
def program(request, server):
    env = clean_environment(
        OTEL_EXPORTER_OTLP_ENDPOINT=server.url,
        OTEL_EXPORTER_OTLP_COMPRESSION=request.param,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
    )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return request.param


@pytest.mark.parametrize("filter_string", FILTERS)
def test_its_traces_are_found_by_metadata(program, client, filter_string):
    query = {"filter": filter_string, "experiment_id": "4000"}
    found = client.get("/api/v1/traces", params=query).json()["traces"]
    assert found
    for one in found:
        info = one["info"]
        assert (info["name"], info["span_count"]) == ("chat", 2)
        assert info["total_tokens"] == 120 and info["cost_usd"] > 0
        assert info["models"] == ["gpt-4o-mini"]
