"""What a middleware makes of a request's headers."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import unicodedata

import httpx
import hypothesis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from opentelemetry import baggage, trace

import whence
from serving import clean_environment
from whence import semconv
from whence.errors import InvalidInputError
from whence.web import ASGIMiddleware, pseudonymise_user

KEY = "a secret that all services share"
PARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


async def application(scope, receive, send):
    with whence.start_span("handler"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})


def request(app, headers, path="/"):
    """Send a request to an ASGI application; headers are a dict or a list of pairs."""

    async def call():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(call())


@pytest.fixture
def given(spans):
    """Return what the trace of one request carries: metadata, and the request's id."""

    def send(headers, /, **options):
        before = len(spans)
        assert request(ASGIMiddleware(application, **options), headers).text == "done"
        (item,) = spans.items[before:]
        attributes = item.to_record().attributes
        metadata = whence.testing.strip_prefix(attributes, semconv.METADATA_PREFIX)
        return metadata, attributes.get(semconv.CLIENT_REQUEST_ID)

    return send


def provenance(spans):
    return json.loads(spans.one("handler").attributes[semconv.PROVENANCE])


def test_three_headers_are_known_without_a_word(given, spans):
    metadata, request_id = given({"X-Request-ID": "r-1", "X-Session-ID": "s-1", "X-User-ID": "u-1"})
    assert metadata == {semconv.SESSION: "s-1", semconv.TRACE_USER: "u-1"}
    assert request_id == "r-1"
    assert provenance(spans) == {
        semconv.SESSION: "header X-Session-ID",
        semconv.TRACE_USER: "header X-User-ID",
    }


def test_further_headers_become_metadata_and_a_known_one_may_be_dropped(given):
    options = {"headers": {"X-Tenant": "tenant", "x-user-id": None, "X-Session-ID": "visit"}}
    headers = {"x-tenant": "t-1", "X-User-ID": "u-1", "X-Session-ID": "s-1"}
    assert given(headers, **options)[0] == {"tenant": "t-1", "visit": "s-1"}


def test_of_two_headers_for_one_key_the_first_that_is_there_counts(given):
    options = {"headers": {"X-Correlation-ID": "client_request_id", "Thread": "session.id"}}
    assert given({"X-Request-ID": "r-1"}, **options)[1] == "r-1"
    assert given({"X-Request-ID": "r-1", "X-Correlation-ID": "c-1"}, **options)[1] == "c-1"
    assert given({"Thread": "s-1"}, **options)[0] == {semconv.SESSION: "s-1"}


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (b"s-1", "s-1"),
        (b"  s-1\t", "s-1"),
        (b"", None),
        (b"   ", None),
        (b"\x01\x02", None),
        (b"a\x00b\x1b[31mc\x7f\x85d", "ab[31mcd"),
        ("Zoë".encode("latin-1"), "Zoë"),
        ("Zoë".encode(), "Zoë"),
        ("李震".encode(), "李震"),
        ("s\u202e1\u2028".encode(), "s1"),
        (b"\xff\xfe", "ÿþ"),
        (b'["trip", "day 1"]', '["trip", "day 1"]'),
        (b"x" * 1_000, "x" * 1_000),
    ],
)
def test_a_value_is_tidied(given, value, stored):
    metadata, _ = given([(b"X-Session-ID", value)])
    assert metadata == ({} if stored is None else {semconv.SESSION: stored})


def test_users_that_utf_8_tells_apart_stay_apart_and_are_found_by_their_pseudonym(given):
    names = ["Ümit", "Ömit", "Àmit"]
    stored = [given([(b"X-User-ID", name.encode())], user_key="k")[0] for name in names]
    pseudonyms = [whence.web.pseudonymise_user(name, "k") for name in names]
    assert [metadata[semconv.TRACE_USER] for metadata in stored] == pseudonyms
    assert len(set(pseudonyms)) == 3


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [b"x-session-id", b"x-user-id", b"traceparent", b"tracestate", b"baggage"]
            ),
            st.binary(max_size=60) | st.sampled_from([PARENT.encode(), b"tenant=%00%ff;a,tenant"]),
        ),
        max_size=6,
    )
)
def test_whatever_a_client_sends_the_request_is_handled_and_its_trace_is_text(spans, headers):
    whence.configure(baggage=["tenant"])
    before = len(spans)
    answers = []

    async def send(message):
        answers.append(message["type"])

    asyncio.run(ASGIMiddleware(application)({"type": "http", "headers": headers}, None, send))
    assert answers == ["http.response.start", "http.response.body"]
    (item,) = spans.items[before:]
    for text in item.trace_metadata.values():
        assert text
        assert not any(unicodedata.category(one) == "Cc" for one in text)
        text.encode("utf-8")
    assert whence.tracing.stats().problems.get("internal_errors", 0) == 0


def test_a_long_value_is_cut_and_listed(given):
    metadata, request_id = given({"X-Session-ID": "s" * 5_000, "X-Request-ID": "r" * 5_000})
    assert metadata == {semconv.SESSION: "s" * 1_000, semconv.TRUNCATED: semconv.SESSION}
    assert request_id == "r" * 1_000


def test_of_a_repeated_header_the_first_counts(given):
    assert given([("X-Session-ID", "first"), ("X-Session-ID", "second")])[0] == {
        semconv.SESSION: "first"
    }


def test_what_a_handler_says_beats_the_headers(spans):
    async def handler(scope, receive, send):
        with whence.start_span("handler"):
            whence.update_current_trace(session_id="handler's", client_request_id="own")
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    request(ASGIMiddleware(handler), {"X-Session-ID": "s-1", "X-User-ID": "u-1"})
    assert spans.metadata() == {semconv.SESSION: "handler's", semconv.TRACE_USER: "u-1"}
    assert provenance(spans) == {semconv.TRACE_USER: "header X-User-ID"}
    assert spans.one().attributes[semconv.CLIENT_REQUEST_ID] == "own"


# --- where the request comes from -----------------------------------------------------------------


def test_the_callers_span_and_its_baggage_are_taken_over(given, spans):
    whence.configure(baggage=["tenant", "session.id"])
    headers = {
        "traceparent": PARENT,
        "tracestate": "vendor=1",
        "baggage": "tenant=t-1,session.id=caller's,other=x",
        "X-Session-ID": "header's",
    }
    assert given(headers)[0] == {"tenant": "t-1", semconv.SESSION: "header's"}
    handler = spans.one("handler")
    assert (handler.trace_id, handler.parent_id) == ("a" * 32, "b" * 16)
    assert handler.trace_state == "vendor=1"
    assert handler.attributes[semconv.LOCAL_ROOT] is True
    assert provenance(spans) == {"tenant": "baggage", semconv.SESSION: "header X-Session-ID"}


def test_a_caller_that_is_not_trusted_gives_headers_only(given, spans):
    whence.configure(baggage=["tenant"])
    headers = {"traceparent": PARENT, "baggage": "tenant=t-1", "X-Session-ID": "s-1"}
    assert given(headers, trust_incoming=False)[0] == {semconv.SESSION: "s-1"}
    assert spans.one().parent_id is None


@pytest.mark.parametrize("wrong", ["nonsense", "00-" + "0" * 32 + "-" + "b" * 16 + "-01"])
def test_a_malformed_traceparent_starts_a_new_trace(given, spans, wrong):
    given({"traceparent": wrong, "X-Session-ID": "s-1"})
    assert spans.one().parent_id is None
    assert whence.tracing.stats().problems["ignored_traceparents"] == 1


def test_a_span_that_hangs_below_the_caller_already_stays_current(spans):
    inner = ASGIMiddleware(application)

    async def instrumentation(scope, receive, send):
        parent = trace.NonRecordingSpan(
            trace.SpanContext(int("a" * 32, 16), int("c" * 16, 16), is_remote=False)
        )
        with trace.use_span(parent):
            await inner(scope, receive, send)

    request(instrumentation, {"traceparent": PARENT, "X-Session-ID": "s-1"})
    assert spans.one("handler").parent_id == "c" * 16
    assert spans.metadata("handler") == {semconv.SESSION: "s-1"}


# --- the program's own function -------------------------------------------------------------------


def test_a_function_of_the_request_says_more_and_beats_the_headers(given, spans):
    def read(scope):
        return {
            "path": scope["path"],
            "user": "function's",
            "session_id": ["trip", "day 1"],
            "client_request_id": 5,
            "absent": None,
            "empty": "",
        }

    metadata, request_id = given({"X-User-ID": "header's"}, context=read)
    assert metadata == {
        "path": "/",
        semconv.TRACE_USER: "function's",
        semconv.SESSION: '["trip","day 1"]',
    }
    assert request_id == "5"
    assert provenance(spans)[semconv.TRACE_USER] == "context()"


@pytest.mark.parametrize("returned", ["text", ["a"], 5])
def test_a_function_that_returns_no_dict_is_counted(given, returned):
    metadata, _ = given({"X-Session-ID": "s-1"}, context=lambda scope: returned)
    assert metadata == {semconv.SESSION: "s-1"}
    assert whence.tracing.stats().problems["internal_errors"] == 1


def test_an_empty_user_of_a_function_leaves_the_headers(given):
    metadata, _ = given({"X-User-ID": "u-7"}, user_key=KEY, context=lambda scope: {"user": ""})
    assert metadata == {semconv.TRACE_USER: pseudonymise_user("u-7", key=KEY)}


async def test_a_server_that_does_not_keep_to_asgi_breaks_no_request(spans):
    async def ignore(message):
        pass

    for headers in ([(b"x-session-id", 5)], [(b"x-session-id",)], None, 5):
        await ASGIMiddleware(application)({"type": "http", "headers": headers}, None, ignore)
    assert spans.names() == ["handler"] * 4
    assert whence.tracing.stats().problems == {"internal_errors": 4}


def test_a_function_that_fails_breaks_no_request(given):
    metadata, _ = given({"X-Session-ID": "s-1"}, context=lambda scope: scope["no such key"])
    assert metadata == {semconv.SESSION: "s-1"}
    assert given({}, context=lambda scope: None)[0] == {}
    assert whence.tracing.stats().problems == {"internal_errors": 1}


# --- pseudonyms -----------------------------------------------------------------------------------


def test_users_become_pseudonyms_under_a_key(given, monkeypatch):
    expected = pseudonymise_user("u-7", key=KEY)
    assert len(expected) == 32
    assert int(expected, 16)
    assert given({"X-User-ID": " u-7 "}, user_key=KEY)[0] == {semconv.TRACE_USER: expected}
    assert given({}, user_key=KEY.encode(), context=lambda scope: {"user": "u-7"})[0] == {
        semconv.TRACE_USER: expected
    }
    monkeypatch.setenv("WHENCE_USER_KEY", KEY)
    assert given({"X-User-ID": "u-7", "X-Session-ID": "s"})[0] == {
        semconv.TRACE_USER: expected,
        semconv.SESSION: "s",
    }
    assert pseudonymise_user("u-7") == expected
    assert pseudonymise_user("u-8") != expected != pseudonymise_user("u-7", key="another")


def test_a_pseudonym_is_the_same_in_every_process():
    done = subprocess.run(
        [sys.executable, "-c", "import whence; print(whence.web.pseudonymise_user('Zoë €'))"],
        env=clean_environment(WHENCE_USER_KEY=KEY, PYTHONHASHSEED="1", PYTHONUTF8="1"),
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == pseudonymise_user("Zoë €", key=KEY)


def test_a_pseudonym_in_baggage_is_not_hashed_again(given):
    whence.configure(baggage=["user.id"])
    caller = pseudonymise_user("u-7", key=KEY)
    metadata, _ = given({"baggage": f"user.id={caller}"}, user_key=KEY)
    assert metadata == {semconv.TRACE_USER: caller}


@pytest.mark.parametrize("empty", ["", "  ", b""])
def test_an_empty_key_is_refused(empty):
    with pytest.raises(InvalidInputError, match="`user_key` is empty"):
        ASGIMiddleware(application, user_key=empty)


def test_an_empty_key_in_the_environment_is_refused(monkeypatch):
    monkeypatch.setenv("WHENCE_USER_KEY", "")
    with pytest.raises(InvalidInputError, match="variable WHENCE_USER_KEY is empty"):
        ASGIMiddleware(application)
    monkeypatch.delenv("WHENCE_USER_KEY")
    with pytest.raises(InvalidInputError, match="set WHENCE_USER_KEY"):
        pseudonymise_user("u-7")


# --- what is wrong shows at the start -------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"headers": ["X-Tenant"]}, "`headers` must be a dict, but got list"),
        ({"headers": {"X-Tenant": ""}}, "'X-Tenant': ''"),
        ({"headers": {"": "tenant"}}, "maps names of headers"),
        ({"headers": {"X-Tenant": 5}}, "'X-Tenant': 5"),
        ({"trust_incoming": "no"}, "`trust_incoming` must be True or False, not 'no'"),
        ({"context": {"a": "b"}}, "`context` must be a function of the request"),
        ({"context": application}, "it can't be awaited"),
        ({"headers": {"X": "k" * 251}}, "1 to 250 characters"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(InvalidInputError, match=message):
        ASGIMiddleware(application, **options)


# --- ASGI -----------------------------------------------------------------------------------------


def test_a_handlers_exception_is_the_same_object_outside():
    error = RuntimeError("the handler's")

    async def fail(scope, receive, send):
        raise error

    with pytest.raises(RuntimeError) as caught:
        request(ASGIMiddleware(fail), {"X-Session-ID": "s-1"})
    assert caught.value is error


async def test_nothing_stays_current_after_a_request(spans):
    before = whence.sdk.capture.keys.get_current()
    scope = {"type": "http", "headers": [(b"x-session-id", b"s-1")]}

    async def ignore(message):
        pass

    await ASGIMiddleware(application)(scope, None, ignore)
    assert whence.sdk.capture.keys.get_current() is before


async def test_what_is_no_request_passes_as_it_is():
    seen = []

    async def note(scope, receive, send):
        seen.append((scope, receive, send))

    scope = {"type": "of tomorrow"}
    await ASGIMiddleware(note)(scope, "receive", "send")
    assert seen == [(scope, "receive", "send")]


def test_the_lifespan_passes(spans):
    from contextlib import asynccontextmanager

    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    seen = []

    @asynccontextmanager
    async def lifespan(app):
        seen.append("start")
        yield
        seen.append("end")

    with TestClient(whence.web.instrument(Starlette(lifespan=lifespan))):
        assert seen == ["start"]
    assert seen == ["start", "end"]


def test_traces_of_a_websocket_have_its_session(spans):
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute
    from starlette.testclient import TestClient

    async def talk(websocket):
        await websocket.accept()
        while (text := await websocket.receive_text()) != "bye":
            with whence.start_span(text):
                pass
            await websocket.send_text("heard")
        await websocket.close()

    app = whence.web.instrument(Starlette(routes=[WebSocketRoute("/talk", talk)]))
    with (
        TestClient(app) as client,
        client.websocket_connect("/talk", headers={"X-Session-ID": "s-1"}) as connection,
    ):
        for text in ("one", "two"):
            connection.send_text(text)
            assert connection.receive_text() == "heard"
        connection.send_text("bye")
    assert spans.metadata("one") == spans.metadata("two") == {semconv.SESSION: "s-1"}


def test_switched_off_tracing_passes_requests(spans):
    whence.tracing.disable()
    assert request(ASGIMiddleware(application), {"X-Session-ID": "s-1"}).text == "done"
    assert len(spans) == 0


def test_opentelemetrys_baggage_set_by_a_handler_counts_too(spans):
    whence.configure(baggage=["tenant"])

    async def handler(scope, receive, send):
        from opentelemetry.context import attach, detach

        token = attach(baggage.set_baggage("tenant", "handler's"))
        try:
            await application(scope, receive, send)
        finally:
            detach(token)

    request(ASGIMiddleware(handler), {"X-Session-ID": "s-1"})
    assert spans.metadata() == {semconv.SESSION: "s-1", "tenant": "handler's"}


def test_with_a_key_a_user_in_baggage_is_hashed_if_the_service_before_has_not(given):
    whence.configure(baggage=["user.id"])
    metadata, _ = given({"baggage": "user.id=alice%40example.com"}, user_key="k")
    expected = whence.web.pseudonymise_user("alice@example.com", "k")
    assert metadata == {semconv.TRACE_USER: expected}
