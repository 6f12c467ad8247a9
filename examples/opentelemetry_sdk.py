"""A plain OpenTelemetry program, without Whence's SDK: version and environment are recognised.

OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4320 python examples/opentelemetry_sdk.py
"""

import os

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

resource = Resource.create(
    {
        "service.name": "planner",
        "service.version": os.getenv("APP_VERSION", "2.1.0"),
        "deployment.environment.name": "production",
        "vcs.ref.head.revision": "0123456789abcdef0123456789abcdef01234567",
    }
)
provider = TracerProvider(resource=resource)
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
tracer = provider.get_tracer("planner")

with tracer.start_as_current_span("plan") as span:
    span.set_attribute("session.id", "session-abc-456")
    span.set_attribute("gen_ai.operation.name", "invoke_agent")
    with tracer.start_as_current_span("chat gpt-4o-mini") as call:
        call.set_attribute("gen_ai.operation.name", "chat")
        call.set_attribute("gen_ai.request.model", "gpt-4o-mini")
        call.set_attribute("gen_ai.usage.input_tokens", 120)
        call.set_attribute("gen_ai.usage.output_tokens", 40)

provider.shutdown()
