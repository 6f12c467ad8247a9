"""Metadata that travels between services as W3C baggage: allowed keys only, within the limits."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context, attach, detach

import whence
from whence import semconv
from whence.errors import InvalidInputError

PARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
send = whence.tracing.get_tracing_context_headers_for_http_request
receive = whence.tracing.set_tracing_context_from_http_request_headers


TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def record(name: str = "trace") -> None:
    with whence.start_span(name):
        pass


def received(spans, header, name="trace"):
    """Return the metadata of a trace below this baggage."""
    with receive({"traceparent": PARENT, "baggage": header}):
        record(name)
    return spans.metadata(name)


@pytest.fixture
def otel_baggage():
    tokens = []

    def put(**entries):
        context = None
        for name, value in entries.items():
            context = baggage.set_baggage(name, value, context)
        tokens.append(attach(context))

    yield put
    for token in reversed(tokens):
        detach(token)


def test_without_an_allow_list_nothing_is_sent_and_nothing_accepted(spans, otel_baggage):
    otel_baggage(tenant="otel")
    with whence.tracing.context(metadata={"tenant": "t-1"}, session_id="s-1"):
        with whence.start_span("caller"):
            assert list(send()) == ["traceparent"]
    assert received(spans, "tenant=t-2,session.id=s-2") == {}


def test_allowed_metadata_goes_from_one_service_to_the_next(spans):
    whence.configure(baggage=["mlflow.trace.session", "tenant"])
    with whence.tracing.context(metadata={"secret": "x"}, session_id="s-1"):
        with whence.start_span("caller"):
            whence.update_current_trace(metadata={"tenant": "Zoë & Söhne, 100 %; a=b"})
            headers = send()
    assert headers["baggage"] == (
        "session.id=s-1,tenant=Zo%C3%AB%20%26%20S%C3%B6hne%2C%20100%20%25%3B%20a%3Db"
    )
    with receive({"Traceparent": headers["traceparent"], "Baggage": headers["baggage"]}):
        record("service")
        with whence.start_span("next hop"):
            assert send()["baggage"] == headers["baggage"]
    assert spans.metadata("service") == {
        semconv.SESSION: "s-1",
        "tenant": "Zoë & Söhne, 100 %; a=b",
    }
    provenance = json.loads(spans.one("service").attributes[semconv.PROVENANCE])
    assert provenance == {semconv.SESSION: "baggage", "tenant": "baggage"}


def test_the_allow_list_may_come_from_the_environment(spans, monkeypatch):
    monkeypatch.setenv("WHENCE_BAGGAGE", "tenant, user.id")
    whence.tracing.reset()
    assert received(spans, "tenant=t-1,user.id=u-7,session.id=s-1") == {
        "tenant": "t-1",
        semconv.TRACE_USER: "u-7",
    }


@pytest.mark.parametrize("allowed", ["session.id", semconv.SESSION])
@pytest.mark.parametrize("sent", ["session.id", semconv.SESSION, "gen_ai.conversation.id"])
def test_a_session_is_a_session_by_all_its_names(spans, allowed, sent):
    whence.configure(baggage=[allowed])
    assert received(spans, f"{sent}=s-1") == {semconv.SESSION: "s-1"}


def test_what_a_service_says_itself_beats_the_baggage(spans):
    whence.configure(baggage=["tenant", "a"])
    with receive({"traceparent": PARENT, "baggage": "tenant=caller's,a=caller's"}):
        with whence.tracing.context(metadata={"a": "block's"}), whence.start_span("service"):
            whence.update_current_trace(metadata={"tenant": "own"})
    assert spans.metadata("service") == {"tenant": "own", "a": "block's"}


def test_the_baggage_of_an_inner_request_beats_an_outer_block(spans):
    whence.configure(baggage=["tenant"])
    with whence.tracing.context(metadata={"tenant": "outer", "kept": "1"}):
        assert received(spans, "tenant=inner") == {"tenant": "inner", "kept": "1"}


def test_opentelemetrys_own_baggage_gives_allowed_keys_to_traces(spans, otel_baggage):
    whence.configure(baggage=["tenant", "session.id", "number"])
    otel_baggage(**{"tenant": "t-1", "session.id": "s-1", "number": 5, "other": "x"})
    with whence.tracing.context(session_id="block's"):
        record()
    assert spans.metadata() == {"tenant": "t-1", semconv.SESSION: "block's", "number": "5"}
    assert json.loads(spans.one().attributes[semconv.PROVENANCE]) == {
        "tenant": "baggage",
        "number": "baggage",
        semconv.SESSION: "context()",
    }


def test_opentelemetrys_own_baggage_is_kept_on_the_way_out(spans, otel_baggage):
    whence.configure(baggage=["tenant"])
    otel_baggage(tenant="otel's", other="a b")
    with whence.tracing.context(metadata={"tenant": "block's"}), whence.start_span("caller"):
        assert send()["baggage"] == "tenant=block%27s,other=a%20b"


def test_what_is_sent_is_understood_by_opentelemetry(spans):
    whence.configure(baggage=["session.id", "tenant"])
    with whence.tracing.context(session_id="s 1+1", metadata={"tenant": "Zoë"}):
        with whence.start_span("caller"):
            headers = send()
    extracted = baggage.get_all(W3CBaggagePropagator().extract(headers, Context()))
    assert dict(extracted) == {"session.id": "s 1+1", "tenant": "Zoë"}


def test_outside_of_a_trace_a_block_still_sends_its_baggage(warnings_logged):
    whence.configure(baggage=["tenant"])
    with whence.tracing.context(metadata={"tenant": "t-1"}):
        assert send() == {"baggage": "tenant=t-1"}
    assert warnings_logged() == []
    assert send() == {}


@pytest.mark.parametrize(
    ("header", "metadata"),
    [
        ("tenant=t-1;property=1;other", {"tenant": "t-1"}),
        (" tenant\t=\t t-1 , a = 2", {"tenant": "t-1", "a": "2"}),
        ("tenant=a+b", {"tenant": "a+b"}),
        ("tenant=first,tenant=second", {"tenant": "first"}),
        ("tenant=,a=1", {"a": "1"}),
        ("tenant=%00%0a%20,a=%1bx%7f", {"a": "x"}),
        ("tenant=%zz%", {"tenant": "%zz%"}),
        ("tenant=%ff%fe", {"tenant": "\ufffd\ufffd"}),
        ("tenant", {}),
        (",,=,;=;,=x", {}),
        ("TENANT=t-1", {}),
        ("", {}),
    ],
)
def test_what_comes_in_is_read_as_w3c_writes_it(spans, header, metadata):
    whence.configure(baggage=["tenant", "a"])
    assert received(spans, header) == metadata


def test_a_header_beyond_the_limits_is_not_read(spans):
    whence.configure(baggage=["tenant", "late"])
    assert received(spans, "tenant=t-1," + "x" * 8_192, "too long") == {}
    assert whence.tracing.stats().problems["baggage_refused"] == 1
    many = "tenant=t-1," + ",".join(f"k{number}=1" for number in range(179)) + ",late=1"
    assert received(spans, many, "too many") == {"tenant": "t-1"}


def test_what_does_not_fit_is_not_sent(spans, warnings_logged):
    whence.configure(baggage=["large", "tenant", *(f"k{number}" for number in range(200))])
    with whence.start_span("caller"):
        whence.update_current_trace(metadata={"large": "€" * 2_800, "tenant": "t-1"})
        assert send()["baggage"] == "tenant=t-1"
        whence.update_current_trace(
            metadata={"large": "x", **{f"k{number}": "1" for number in range(200)}}
        )
        header = send()["baggage"]
    assert header.startswith("large=x,tenant=t-1,k0=1,")
    assert header.count("=") == 180
    assert whence.tracing.stats().problems["baggage_dropped"] == 1 + 22
    assert len(warnings_logged()) == 1


def test_a_header_may_fill_the_limit_to_the_last_byte(spans):
    whence.configure(baggage=["a", "b"])
    with whence.start_span("caller"):
        whence.update_current_trace(metadata={"a": "x" * 4_093, "b": "y" * 4_094})
        header = send()["baggage"]
    assert len(header) == 8_192
    assert received(spans, header) == {"a": "x" * 4_093, "b": "y" * 4_094}


def test_a_key_that_is_no_token_stays_at_home(spans, warnings_logged):
    whence.configure(baggage=["a b", "tenant"])
    with whence.tracing.context(metadata={"a b": "1", "tenant": "t-1"}):
        with whence.start_span("caller"):
            assert send()["baggage"] == "tenant=t-1"
    assert "'a b' can't travel in baggage" in warnings_logged()[0]


def is_visible(character: str) -> bool:
    """Tell what may stand in an id: no control, no separator of lines, nothing that turns text."""
    turns = unicodedata.bidirectional(character) in TURNING or character in "\u200e\u200f"
    return not turns and unicodedata.category(character) not in {"Cc", "Zl", "Zp"}


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.dictionaries(st.sampled_from(["a", "b.c", "mlflow.trace.session"]), st.text(max_size=300))
)
def test_whatever_travels_arrives_as_it_was(spans, metadata):
    whence.configure(baggage=["a", "b.c", "session.id"])
    with whence.tracing.context(metadata=metadata), whence.start_span("caller"):
        headers = send()
    assert headers.get("baggage", "").isascii()
    with receive(headers), whence.start_span("service") as span:
        arrived = span.trace_metadata
    assert arrived == {
        key: text
        for key, value in metadata.items()
        if (text := "".join(one for one in value if is_visible(one)).strip())
    }


@pytest.mark.parametrize("wrong", ["tenant", [1], [None]])
def test_an_allow_list_is_a_list_of_keys(wrong):
    with pytest.raises(InvalidInputError, match="`baggage` must be a list of metadata keys"):
        whence.configure(baggage=wrong)


def test_a_value_that_cannot_be_printed_breaks_nothing(spans, otel_baggage):
    class Unprintable:
        def __str__(self):
            raise RuntimeError

    whence.configure(baggage=["tenant", "a"])
    otel_baggage(tenant=Unprintable(), a="1")
    with whence.start_span("caller"):
        assert "a=1" in send()["baggage"]
    assert spans.metadata()["a"] == "1"


def test_headers_that_come_several_times_are_one_list(spans):
    class Repeated(dict):
        def items(self):
            return [("traceparent", PARENT), ("baggage", "a=1"), ("Baggage", "tenant=t-1")]

    whence.configure(baggage=["a", "tenant"])
    with receive(Repeated()):
        record()
    assert spans.metadata() == {"a": "1", "tenant": "t-1"}
