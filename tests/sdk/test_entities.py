from __future__ import annotations

import doctest
import json
import re

import pytest

from whence import entities, semconv
from whence.entities import (
    Experiment,
    Link,
    Span,
    SpanEvent,
    SpanLogLevel,
    SpanStatus,
    SpanStatusCode,
    SpanType,
    Trace,
    TraceData,
    TraceInfo,
    TraceLocation,
    TraceState,
    experiment,
    experiment_id_of,
    trace_from_api,
)
from whence.errors import InvalidInputError

HEX = "0123456789abcdef0123456789abcdef"

API_SPAN = {
    "trace_id": f"tr-{HEX}",
    "span_id": "00f067aa0ba902b7",
    "parent_id": None,
    "name": "chat",
    "span_type": "CHAT_MODEL",
    "kind": "SERVER",
    "start_time_ns": "1795410014669831678",
    "end_time_ns": "1795410014834000000",
    "status": "ERROR",
    "status_message": "ValueError: bad",
    "inputs": {"x": 1, "naïve": "日本"},
    "outputs": None,
    "attributes": {"temperature": 0.5, "whence.inputs": '{"x": 1}'},
    "events": [{"name": "exception", "time_ns": "1795410014800000000", "attributes": {"a": "b"}}],
    "links": [{"trace_id": "tr-" + "a" * 32, "span_id": "b" * 16, "attributes": None}],
    "resource": {"service.version": "2.1.0"},
    "scope": "whence",
    "model": "gpt-4o",
    "provider": "openai",
    "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
    "cost": {"input_cost": 0.1, "output_cost": 0.2, "total_cost": 0.3},
    "size_bytes": 400,
}
API_INFO = {
    "trace_id": f"tr-{HEX}",
    "experiment_id": "0",
    "name": "chat",
    "state": "ERROR",
    "request_time_ms": 1795410014669,
    "duration_ns": 164_168_322,
    "client_request_id": "req-1",
    "request_preview": "hi",
    "response_preview": None,
    "environment": "production",
    "app_version": "2.1.0",
    "commit": "c0ffee",
    "branch": None,
    "session": "s-1",
    "user": "u-1",
    "trace_metadata": {
        "environment": "prod",
        "app_version": "2.1.0",
        "mlflow.source.git.commit": "c0ffee",
        "mlflow.trace.session": "s-1",
        "mlflow.trace.user": "u-1",
        "mlflow.trace.tokenUsage": '{"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}',
        "mlflow.trace.cost": '{"input_cost": 0.1, "output_cost": 0.2, "total_cost": 0.3}',
        "mlflow.trace.sizeStats": '{"total_size_bytes": 400, "num_spans": 1}',
    },
    "tags": {"team": "blue"},
    "assessments": [
        {
            "assessment_id": "a-1",
            "assessment_name": "helpful",
            "trace_id": f"tr-{HEX}",
            "source": {"source_type": "HUMAN", "source_id": "ann"},
            "create_time": "2026-11-23T05:00:07.444Z",
            "last_update_time": "2026-11-23T05:00:08.000Z",
            "feedback": {"value": 0.5},
            "valid": True,
        }
    ],
    "span_count": 1,
    "error_count": 1,
    "models": ["gpt-4o"],
}


def a_trace() -> Trace:
    return trace_from_api({"info": API_INFO, "spans": [API_SPAN], "conflicts": []})


def test_the_default_experiment_has_the_id_zero():
    assert experiment_id_of("Default") == "0"
    assert Experiment.named("Default") == Experiment(experiment_id="0", name="Default")


def test_an_experiment_id_is_a_fixed_50_bit_number():
    assert experiment_id_of("chatbot") == "1062218882224921"
    assert all(int(experiment_id_of(f"e{n}")) < 2**50 for n in range(1000))
    assert len({experiment_id_of(f"e{n}") for n in range(1000)}) == 1000


def test_a_status_code_is_built_from_text_and_equals_it():
    assert SpanStatus("OK").status_code is SpanStatusCode.OK
    assert SpanStatusCode("STATUS_CODE_ERROR") == "ERROR"
    assert str(TraceState.IN_PROGRESS) == "IN_PROGRESS"


def test_an_unknown_status_code_is_refused_with_mlflows_words():
    with pytest.raises(
        InvalidInputError,
        match=re.escape("BAD is not a valid SpanStatusCode value. Please use one of ['UNSET', "),
    ):
        SpanStatus("BAD")


def test_a_log_level_is_built_from_its_name_or_number():
    assert SpanLogLevel("warning") is SpanLogLevel(30)
    assert SpanLogLevel.default_for(SpanType.LLM) is SpanLogLevel.INFO
    assert SpanLogLevel.default_for("mine") is SpanLogLevel.DEBUG
    with pytest.raises(InvalidInputError, match="not a span log level"):
        SpanLogLevel("LOUD")


def test_an_exception_event_survives_an_exception_that_cannot_be_printed():
    class UnprintableError(Exception):
        def __str__(self):
            raise RuntimeError("no")

    event = SpanEvent.from_exception(UnprintableError())
    assert "__str__ raised RuntimeError" in event.attributes["exception.message"]
    assert event.attributes["exception.type"].endswith("UnprintableError")


def test_a_span_from_the_api_has_mlflows_properties():
    [span] = a_trace().data.spans
    assert (span.trace_id, span.span_id, span.parent_id) == (f"tr-{HEX}", "00f067aa0ba902b7", None)
    assert span.inputs == {"x": 1, "naïve": "日本"}
    assert span.outputs is None
    assert "mlflow.spanOutputs" in span.attributes
    assert span.span_type == "CHAT_MODEL"
    assert span.status == SpanStatus(SpanStatusCode.ERROR, "ValueError: bad")
    assert span.model_name == "gpt-4o"
    assert span.llm_cost["total_cost"] == 0.3
    assert span.token_usage["total_tokens"] == 7
    assert span.duration_ns == 164_168_322
    assert span.resource == {"service.version": "2.1.0"}
    assert "whence.inputs" not in span.attributes
    assert span.events[0].timestamp == 1795410014800000000
    assert span.links == [Link("tr-" + "a" * 32, "b" * 16)]


def test_an_absent_input_stays_absent():
    span = entities.span_from_api({k: v for k, v in API_SPAN.items() if k != "inputs"})
    assert "mlflow.spanInputs" not in span.attributes
    assert span.inputs is None


def test_a_span_writes_mlflows_json_shape():
    [span] = a_trace().data.spans
    data = span.to_dict()
    assert list(data) == [
        "trace_id",
        "span_id",
        "parent_span_id",
        "name",
        "kind",
        "start_time_unix_nano",
        "end_time_unix_nano",
        "events",
        "status",
        "attributes",
        "links",
    ]
    assert data["trace_id"] == "ASNFZ4mrze8BI0VniavN7w=="
    assert data["span_id"] == "APBnqgupArc="
    assert data["kind"] == "SPAN_KIND_SERVER"
    assert data["status"] == {"code": "STATUS_CODE_ERROR", "message": "ValueError: bad"}
    assert data["attributes"]["mlflow.spanType"] == '"CHAT_MODEL"'
    assert data["attributes"]["mlflow.spanInputs"] == '{"x": 1, "naïve": "日本"}'
    assert data["attributes"]["mlflow.spanOutputs"] == "null"


def test_a_span_cannot_be_changed():
    [span] = a_trace().data.spans
    span.attributes["x"] = 1
    span.events.clear()
    span.status.description = "other"
    assert "x" not in span.attributes
    assert len(span.events) == 1
    assert span.status.description == "ValueError: bad"
    with pytest.raises(AttributeError):
        span.name = "other"


def test_subscribing_a_span_says_what_to_write_instead():
    [span] = a_trace().data.spans
    with pytest.raises(TypeError, match=re.escape("span.inputs")):
        span["inputs"]


def test_a_trace_makes_the_round_trip_through_json():
    trace = a_trace()
    again = Trace.from_json(trace.to_json())
    assert again == trace
    assert again.to_dict() == trace.to_dict()
    assert json.loads(trace.to_json(pretty=True)) == trace.to_dict()


def test_a_foreign_trace_id_makes_the_round_trip_too():
    answer = {
        "info": {**API_INFO, "trace_id": "order 66/é"},
        "spans": [{**API_SPAN, "trace_id": "order 66/é"}],
    }
    trace = trace_from_api(answer)
    assert Trace.from_json(trace.to_json()).data.spans[0].trace_id == "order 66/é"


def test_hex_ids_are_read_where_base64_is_usual():
    data = a_trace().data.spans[0].to_dict()
    data["attributes"].pop("mlflow.traceRequestId")
    for trace_id in (HEX, f"0x{HEX}", f"tr-{HEX}", "ASNFZ4mrze8BI0VniavN7w=="):
        span = Span.from_dict({**data, "trace_id": trace_id, "span_id": "00f067aa0ba902b7"})
        assert (span.trace_id, span.span_id) == (f"tr-{HEX}", "00f067aa0ba902b7")


def test_the_span_form_of_mlflow_2_is_read():
    span = Span.from_dict(
        {
            "name": "old",
            "context": {"span_id": "0xf067aa0ba902b7", "trace_id": f"0x{HEX}"},
            "parent_id": None,
            "start_time": 1,
            "end_time": 2,
            "status_code": "OK",
            "status_message": "",
            "attributes": {"mlflow.traceRequestId": '"abc"', "mlflow.spanInputs": '{"a": [1]}'},
            "events": [{"name": "e", "timestamp": 1, "attributes": {}}],
        }
    )
    assert (span.trace_id, span.span_id) == ("abc", "00f067aa0ba902b7")
    assert span.inputs == {"a": [1]}
    assert span.status.status_code == "OK"


def test_a_header_offers_the_context_as_properties():
    info = a_trace().info
    assert info.environment == "production"
    assert info.trace_metadata["environment"] == "prod"
    assert (info.app_version, info.commit, info.branch) == ("2.1.0", "c0ffee", None)
    assert (info.session, info.user) == ("s-1", "u-1")
    assert info.cost_usd == 0.3
    assert info.token_usage["input_tokens"] == 3
    assert (info.span_count, info.size_bytes) == (1, 400)
    assert (info.execution_duration, info.execution_time_ms) == (164, 164)
    assert info.experiment_id == "0"
    assert info.models == ["gpt-4o"]
    assert info.name == "chat"


def test_a_header_says_where_its_values_are_from_and_what_the_server_calls_its_environment():
    answer = {
        "trace_id": "tr-1",
        "experiment_id": "0",
        "request_time_ms": 1,
        "state": "OK",
        "environment": "staging",
        "trace_metadata": {"environment": "UAT"},
        "provenance": {"environment": "env APP_ENVIRONMENT"},
    }
    info = entities.info_from_api(answer)
    assert info.provenance == {"environment": "env APP_ENVIRONMENT"}
    assert (info.environment, info.trace_metadata["environment"]) == ("staging", "UAT")
    older = entities.info_from_api({**answer, "environment": None, "provenance": None})
    assert (older.provenance, older.environment) == ({}, "uat")


def test_a_header_writes_mlflows_json_shape():
    form = a_trace().info.to_dict()
    assert form["request_time"] == "2026-11-23T05:00:14.669Z"
    assert form["execution_duration_ms"] == 164
    assert form["trace_location"] == {
        "type": "MLFLOW_EXPERIMENT",
        "mlflow_experiment": {"experiment_id": "0"},
    }
    assert "response_preview" not in form
    assert form["tags"] == {"team": "blue", "mlflow.traceName": "chat"}
    assert form["assessments"] == API_INFO["assessments"]


def test_the_header_form_of_mlflow_2_is_read():
    info = TraceInfo.from_dict(
        {
            "request_id": "r1",
            "experiment_id": "7",
            "timestamp_ms": 5,
            "execution_time_ms": 6,
            "status": "TRACE_STATUS_UNSPECIFIED",
            "request_metadata": {"a": "b"},
            "tags": [{"key": "k", "value": "v"}],
        }
    )
    assert (info.trace_id, info.experiment_id, info.request_time) == ("r1", "7", 5)
    assert info.state is TraceState.STATE_UNSPECIFIED
    assert (info.request_metadata, info.tags) == ({"a": "b"}, {"k": "v"})


def test_metadata_that_is_not_json_gives_no_usage():
    info = TraceInfo("t", TraceLocation.from_experiment_id("0"), 0, "OK")
    info.trace_metadata = {"mlflow.trace.tokenUsage": "{", "mlflow.trace.cost": "[1]"}
    assert info.token_usage is None
    assert info.cost is None
    assert info.cost_usd is None


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-23T05:00:07.444Z", 1795410007444),
        ("2026-11-23T06:00:07.4449999+01:00", 1795410007444),
        ("1969-12-31T23:59:59.999Z", -1),
    ],
)
def test_a_request_time_is_read_to_the_millisecond(text, time_ms):
    form = {"trace_id": "t", "trace_location": {"type": "MLFLOW_EXPERIMENT"}, "request_time": text}
    info = TraceInfo.from_dict(form)
    assert info.request_time == time_ms
    assert TraceInfo.from_dict(info.to_dict()).request_time == time_ms


def test_a_request_time_that_is_none_is_refused():
    form = {"trace_id": "t", "trace_location": {"type": "MLFLOW_EXPERIMENT"}}
    for text in ("yesterday", "2026-13-40T00:00:00Z"):
        with pytest.raises(InvalidInputError, match="not a"):
            TraceInfo.from_dict({**form, "request_time": text})


def make_span(**overrides) -> Span:
    fields = {"trace_id": "t", "span_id": "1" * 16, "name": "a", "start_time_ns": 1, **overrides}
    return Span(**fields)


def test_request_and_response_are_the_roots_payloads_as_json_text():
    root = make_span(attributes={"mlflow.spanInputs": {"q": 1}, "mlflow.spanOutputs": "yes"})
    child = make_span(span_id="2" * 16, parent_id="1" * 16)
    data = TraceData([child, root])
    assert (data.request, data.response) == ('{"q": 1}', '"yes"')
    assert TraceData([child]).request is None


def test_a_local_root_stands_in_for_a_missing_root():
    local = make_span(
        parent_id="9" * 16, attributes={semconv.LOCAL_ROOT: True, "mlflow.spanInputs": 1}
    )
    assert TraceData([local]).request == "1"


def test_spans_are_found_by_type_name_pattern_and_id():
    tool = make_span(name="look_up", attributes={"mlflow.spanType": "TOOL"})
    model = make_span(span_id="2" * 16, name="model")
    info = TraceInfo("t", TraceLocation.from_experiment_id("0"), 0, "OK")
    trace = Trace(info, TraceData([tool, model]))
    assert trace.search_spans(span_type="TOOL") == [tool]
    assert trace.search_spans(name="model") == [model]
    assert trace.search_spans(name=re.compile("^look")) == [tool]
    assert trace.search_spans(span_id="2" * 16, name="look_up") == []
    assert trace.search_spans() == [tool, model]


def test_a_dataframe_row_has_the_columns_in_order():
    trace = a_trace()
    row = trace.to_pandas_dataframe_row()
    assert list(row) == Trace.pandas_dataframe_columns()
    assert row["request"] == {"x": 1, "naïve": "日本"}
    assert Trace.from_json(row["trace"]) == trace
    assert repr(trace) == f"Trace(trace_id='tr-{HEX}')"


@pytest.mark.parametrize("text", ["{", "[]", '{"info": {}}', "3"])
def test_a_text_that_is_no_trace_is_refused(text):
    with pytest.raises(InvalidInputError):
        Trace.from_json(text)


def test_the_example_of_an_experiment_id_is_true():
    assert doctest.testmod(experiment).failed == 0
