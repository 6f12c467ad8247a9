"""The reader of OTLP/JSON takes what the specification allows and names what is wrong."""

from __future__ import annotations

import json as plain_json
from typing import Any

import pytest

from whence.errors import MalformedPayloadError
from whence.otlp.json import decode_request, encode_partial_success
from whence.otlp.records import SpanRecord

SPAN = {"traceId": "A" * 32, "spanId": "b" * 16, "name": "s", "startTimeUnixNano": "1"}


def body(**changes: Any) -> bytes:
    group = {"scopeSpans": [{"spans": [SPAN, SPAN | changes]}]}
    return plain_json.dumps({"resourceSpans": [group]}).encode()


def read(**changes: Any) -> SpanRecord:
    return decode_request(body(**changes))[0].spans[1]


def attribute(value: dict[str, Any]) -> Any:
    return read(attributes=[{"key": "k", "value": value}]).attributes["k"]


def problem(payload: bytes) -> str:
    with pytest.raises(MalformedPayloadError) as caught:
        decode_request(payload)
    return caught.value.message


def test_ids_are_read_in_either_case() -> None:
    assert read().trace_id == "a" * 32


def test_unknown_fields_and_nulls_are_ignored() -> None:
    span = read(news={"a": [1]}, attributes=None, events=None, status=None, parentSpanId=None)
    assert span == read()


def test_64_bit_integers_may_be_numbers_or_strings() -> None:
    assert read(startTimeUnixNano=1700000000000000001).start_time_ns == 1700000000000000001
    assert read(startTimeUnixNano="1700000000000000001").start_time_ns == 1700000000000000001
    assert attribute({"intValue": 5}) == attribute({"intValue": "5"}) == 5
    assert attribute({"intValue": 1e3}) == 1000


def test_enums_may_be_numbers_or_names() -> None:
    assert read(kind=3).kind == read(kind="SPAN_KIND_CLIENT").kind == 3
    assert read(status={"code": 2}).status == read(status={"code": "STATUS_CODE_ERROR"}).status == 2
    assert read(kind=99).kind == 0


def test_a_parent_of_zeros_or_nothing_is_no_parent() -> None:
    assert read(parentSpanId="").parent_id is None
    assert read(parentSpanId="0" * 16).parent_id is None


def test_base64_may_be_url_safe_and_unpadded() -> None:
    assert attribute({"bytesValue": "-_8"}) == attribute({"bytesValue": "+/8="}) == b"\xfb\xff"


def test_half_an_emoji_escaped_by_javascript_is_replaced() -> None:
    payload = body(name="MARK").replace(b"MARK", rb"a\ud83d b\ud83d\ude00 c\\ud83d")
    assert decode_request(payload)[0].spans[1].name == "a\ufffd b😀 c\\ud83d"


def test_an_empty_request_has_no_spans() -> None:
    assert decode_request(b"{}") == []
    assert decode_request(b'{"resourceSpans":[]}') == []
    assert decode_request(b'{"resourceSpans":[{"scopeSpans":[{"spans":[]}]}]}') == []


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        (b'{"resourceSpans": x}', "byte 18"),
        (b'{"resourceSpans": [', "byte 19"),
        (b'{"resourceSpans": []} trailing', "byte 23"),
        (b'{"resourceSpans":[{"resource":{"attributes":[{"key":"\xff"}]}}]}', "byte 53"),
        (b"", "byte 0"),
    ],
)
def test_broken_json_is_named_by_its_byte(payload: bytes, place: str) -> None:
    assert place in problem(payload)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"traceId": "abc"}, "traceId"),
        ({"traceId": "g" * 32}, "traceId"),
        ({"traceId": "0" * 32}, "traceId"),
        ({"traceId": 7}, "traceId"),
        ({"spanId": "a" * 15}, "spanId"),
        ({"spanId": "0" * 16}, "spanId"),
        ({"spanId": None}, "spanId"),
        ({"parentSpanId": "xyz"}, "parentSpanId"),
        ({"startTimeUnixNano": "-1"}, "startTimeUnixNano"),
        ({"startTimeUnixNano": "1.5"}, "startTimeUnixNano"),
        ({"endTimeUnixNano": 2**63}, "endTimeUnixNano"),
        ({"kind": "SPAN_KIND_NEW"}, "kind"),
        ({"status": {"code": "BAD"}}, "status.code"),
        ({"attributes": [{"key": "a"}, {"key": 1}]}, "attributes[1].key"),
        (
            {"attributes": [{"key": "a", "value": {"intValue": "x"}}]},
            "attributes[0].value.intValue",
        ),
        (
            {"attributes": [{"key": "a", "value": {"bytesValue": "é"}}]},
            "attributes[0].value.bytesValue",
        ),
        ({"events": [{}, {"timeUnixNano": "x"}]}, "events[1].timeUnixNano"),
        ({"links": [{"traceId": "a"}]}, "links[0].traceId"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(changes: dict[str, Any], path: str) -> None:
    assert problem(body(**changes)).endswith(f" at resourceSpans[0].scopeSpans[0].spans[1].{path}")


def test_a_body_of_another_shape_is_refused() -> None:
    assert "at the top" in problem(b"[]")


def test_a_body_without_end_is_refused_and_not_fatal() -> None:
    assert "too deeply" in problem(b'{"a":' + b"[" * 100_000)


def test_partial_success_is_said_in_the_type_of_the_request() -> None:
    from whence.otlp.protobuf import ExportTraceServiceResponse

    said = plain_json.loads(
        encode_partial_success(2, 'no "é"\ud800', content_type="application/json")
    )
    assert said["partialSuccess"]["rejectedSpans"] == "2"
    assert said["partialSuccess"]["errorMessage"].startswith('no "é"')
    answer = ExportTraceServiceResponse.FromString(
        encode_partial_success(2, "no", content_type="Application/X-Protobuf; a=b")
    )
    assert (answer.partial_success.rejected_spans, answer.partial_success.error_message) == (
        2,
        "no",
    )


def test_full_success_is_an_empty_answer() -> None:
    assert encode_partial_success(0, "", content_type="application/json; charset=utf-8") == b"{}"
    assert encode_partial_success(0, "", content_type="application/x-protobuf") == b""


def test_an_id_that_was_right_as_a_parent_is_wrong_as_a_trace():
    with pytest.raises(MalformedPayloadError, match=r"spans\[1\]\.traceId"):
        decode_request(body(parentSpanId="c" * 16, traceId="c" * 16))
    group = {
        "scopeSpans": [
            {"spans": [SPAN | {"parentSpanId": "c" * 16}]},
            {"spans": [SPAN | {"traceId": "c" * 16}]},
        ]
    }
    with pytest.raises(MalformedPayloadError, match=r"scopeSpans\[1\]\.spans\[0\]\.traceId"):
        decode_request(plain_json.dumps({"resourceSpans": [group]}).encode())
