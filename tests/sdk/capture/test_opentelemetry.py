"""Beside OpenTelemetry: below a foreign SDK's spans, above them, and as the provider itself."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from opentelemetry import trace as otel
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import Link, SpanKind, StatusCode

import whence
from whence import semconv
from whence.otlp.records import STATUS_ERROR, STATUS_OK, STATUS_UNSET
from whence.sdk.capture.tracer import provider


@pytest.fixture
def foreign():
    exporter = InMemorySpanExporter()
    sdk = TracerProvider()
    sdk.add_span_processor(SimpleSpanProcessor(exporter))
    yield sdk.get_tracer("foreign"), exporter
    sdk.shutdown()


@pytest.fixture
def tracer():
    return provider.get_tracer("instrumentation", "1.2")


def hex_ids(span):
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


def test_a_span_below_a_foreign_one_is_a_local_root_in_its_trace(spans, foreign):
    sdk_tracer, exporter = foreign
    with sdk_tracer.start_as_current_span("foreign root"), whence.start_span("ours"):
        whence.update_current_trace(metadata={"a": "1"})
        with whence.start_span("child"):
            pass
    [root] = exporter.get_finished_spans()
    ours, child = spans.one("ours"), spans.one("child")
    assert (ours.trace_id, ours.parent_id) == hex_ids(root)
    assert ours.attributes[semconv.LOCAL_ROOT] is True
    assert spans.metadata("ours") == {"a": "1"}
    assert child.parent_id == ours.span_id
    assert semconv.LOCAL_ROOT not in child.attributes


def test_two_spans_below_one_foreign_span_are_two_local_roots(spans, foreign):
    sdk_tracer, _ = foreign
    with sdk_tracer.start_as_current_span("foreign root"):
        for name in "ab":
            with whence.start_span(name):
                whence.update_current_trace(metadata={"name": name})
    assert spans.metadata("a") == {"name": "a"}
    assert spans.metadata("b") == {"name": "b"}
    assert {record.attributes[semconv.LOCAL_ROOT] for record in spans.records} == {True}


def test_a_foreign_span_nests_below_ours_and_ours_below_it_again(spans, foreign):
    sdk_tracer, exporter = foreign
    with whence.start_span("outer") as outer, sdk_tracer.start_as_current_span("foreign"):
        assert whence.get_current_active_span() is outer
        whence.update_current_trace(metadata={"said": "under a foreign span"})
        with whence.start_span("inner"):
            pass
    [between] = exporter.get_finished_spans()
    assert hex_ids(between)[0] == spans.one("outer").trace_id
    assert f"{between.parent.span_id:016x}" == spans.one("outer").span_id
    assert (spans.one("inner").trace_id, spans.one("inner").parent_id) == hex_ids(between)
    assert semconv.LOCAL_ROOT not in spans.one("inner").attributes
    assert spans.metadata("outer") == {"said": "under a foreign span"}


def test_below_an_unsampled_foreign_span_we_record_unless_told_not_to(spans):
    tracer = TracerProvider(sampler=ALWAYS_OFF).get_tracer("foreign")
    with tracer.start_as_current_span("unsampled"):
        with whence.start_span("recorded"):
            pass
        whence.configure(follow_parent_sampling=True)
        with whence.start_span("not recorded"), whence.start_span("nor this"):
            pass
    assert spans.names() == ["recorded"]
    assert spans.one().attributes[semconv.LOCAL_ROOT] is True


def test_our_tracer_and_our_api_nest_in_both_directions(spans, tracer):
    with tracer.start_as_current_span(
        "request", kind=SpanKind.SERVER, attributes={"http.route": "/"}
    ) as request:
        with whence.start_span("work"):
            with tracer.start_as_current_span("call", kind=SpanKind.CLIENT):
                whence.update_current_trace(metadata={"a": "1"})
        request.set_attribute("n", 5)
    record = spans.one("request")
    assert (record.kind, record.scope, record.status) == (2, "instrumentation", STATUS_UNSET)
    assert record.attributes["http.route"] == "/"
    assert record.attributes["n"] == 5
    assert semconv.SPAN_TYPE not in record.attributes
    assert spans.one("work").parent_id == record.span_id
    assert (spans.one("call").parent_id, spans.one("call").kind) == (spans.one("work").span_id, 3)
    assert spans.metadata("request") == {"a": "1"}
    assert len({one.trace_id for one in spans.records}) == 1


def test_the_whole_span_interface_of_opentelemetry_works(spans, tracer):
    linked = otel.SpanContext(1, 2, is_remote=True)
    span = tracer.start_span("s", links=[Link(linked, {"a": 1})], start_time=1_000)
    with otel.use_span(span, end_on_exit=False):
        assert otel.get_current_span() is span
        assert whence.get_current_active_span() is span
        with whence.start_span("below"):
            pass
    span.update_name("renamed")
    span.add_event("happened", {"x": 1}, 2_000)
    span.add_link(linked)
    span.set_status(StatusCode.ERROR, "bad")
    span.record_exception(ValueError("v"), escaped=True)
    assert span.is_recording()
    span.end(3_000)
    assert not span.is_recording()
    record = spans.one("renamed")
    assert (record.start_time_ns, record.end_time_ns) == (1_000, 3_000)
    assert (record.status, record.status_message) == (STATUS_ERROR, "bad")
    assert [(event.name, event.time_ns) for event in record.events][0] == ("happened", 2_000)
    assert record.events[1].name == "exception"
    assert [(link.trace_id, link.span_id) for link in record.links] == [
        ("0" * 31 + "1", "0" * 15 + "2")
    ] * 2
    assert spans.one("below").parent_id == record.span_id
    assert span.get_span_context().trace_flags.sampled


@pytest.mark.parametrize(
    ("options", "events", "status"),
    [
        ({}, 1, STATUS_ERROR),
        ({"record_exception": False}, 0, STATUS_ERROR),
        ({"set_status_on_exception": False}, 1, STATUS_UNSET),
    ],
)
def test_exceptions_in_a_tracers_block_are_recorded_as_asked(
    spans, tracer, options, events, status
):
    with pytest.raises(ValueError), tracer.start_as_current_span("s", **options):
        raise ValueError("v")
    record = spans.one()
    assert (len(record.events), record.status) == (events, status)


async def test_a_tracers_span_works_as_a_decorator(spans, tracer):
    @tracer.start_as_current_span("sync")
    def call():
        return otel.get_current_span().get_span_context().span_id

    @tracer.start_as_current_span("async")
    async def call_async():
        return otel.get_current_span().get_span_context().span_id

    numbers = [call(), call(), await call_async()]
    assert [f"{number:016x}" for number in numbers] == [record.span_id for record in spans.records]


def test_processors_of_opentelemetry_see_every_span(spans, tracer):
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with (
        tracer.start_as_current_span("tracer's"),
        whence.start_span("ours", span_type="TOOL") as ours,
    ):
        ours.set_inputs({"a": 1})
        ours.set_attribute("nested", {"b": [1]})
    first, second = exporter.get_finished_spans()
    assert (first.name, second.name) == ("ours", "tracer's")
    assert first.parent.span_id == second.context.span_id
    assert first.attributes[semconv.INPUTS] == '{"a":1}'
    assert first.attributes["nested"] == '{"b":[1]}'
    assert first.status.status_code is StatusCode.OK
    assert first.kind is SpanKind.INTERNAL
    assert first.end_time >= first.start_time > 0
    assert second.instrumentation_scope.name == "instrumentation"
    assert first.resource.attributes["telemetry.sdk.name"] == "whence"


def test_opentelemetrys_own_exporter_can_encode_our_spans(spans, tracer):
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with (
        pytest.raises(ValueError),
        whence.start_span("ours", links=[whence.entities.Link("tr-" + "a" * 32, "b" * 16)]),
    ):
        with tracer.start_as_current_span("below"):
            raise ValueError("v")
    request = encode_spans(exporter.get_finished_spans())
    encoded = [span for scope in request.resource_spans[0].scope_spans for span in scope.spans]
    assert sorted(span.name for span in encoded) == ["below", "ours"]
    assert {span.trace_id.hex() for span in encoded} == {spans.records[0].trace_id}
    assert {span.status.code for span in encoded} == {2}


def test_a_processor_may_write_when_a_span_starts(spans, tracer):
    class Stamp:
        def on_start(self, span, parent_context=None):
            span.set_attribute("stamp", 1)

        def on_end(self, span):
            raise RuntimeError("a broken processor")

    provider.add_span_processor(Stamp())
    with whence.start_span("ours"):
        pass
    assert spans.one().attributes["stamp"] == 1
    assert spans.one().status == STATUS_OK


GLOBAL = """
import json, whence
from whence.testing import capture_spans
from opentelemetry import trace
early = trace.get_tracer("early")
{before}
whence.configure(otel=True)
whence.configure(otel=True)
with capture_spans() as spans:
    with early.start_as_current_span("otel"):
        with whence.start_span("ours"): pass
print(json.dumps([spans.names(), [r.attributes.get("whence.local_root") for r in spans.records]]))
"""


def run(before):
    result = subprocess.run(
        [sys.executable, "-c", GLOBAL.format(before=before)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(result.stdout), result.stderr


def test_ours_becomes_the_global_provider_on_request():
    assert run("")[0] == [["ours", "otel"], [None, None]]


def test_a_foreign_global_provider_stays_and_we_record_beside_it():
    found, log = run(
        "from opentelemetry.sdk.trace import TracerProvider; trace.set_tracer_provider(TracerProvider())"
    )
    assert found == [["ours"], [True]]
    assert "already set" in log


def test_disabled_or_unsampled_our_tracer_passes_the_parent_on(spans, tracer, foreign):
    sdk_tracer, _ = foreign
    whence.tracing.disable()
    with (
        sdk_tracer.start_as_current_span("foreign") as parent,
        tracer.start_as_current_span("off") as off,
    ):
        assert off.get_span_context().span_id == parent.get_span_context().span_id
        assert not off.is_recording()
    whence.tracing.enable()
    whence.configure(sampling_ratio=0.0)
    with tracer.start_as_current_span("unsampled") as unsampled:
        assert not unsampled.is_recording()
    assert len(spans) == 0
