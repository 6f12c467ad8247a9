"""`configure(metadata={"key": function})`: a value that is computed for every trace."""

from __future__ import annotations

import functools
import json

import pytest

import whence
from whence import semconv
from whence.errors import InvalidInputError


def sources_of(record):
    return json.loads(record.attributes.get(semconv.PROVENANCE, "{}"))


def record_one():
    with whence.start_span("root"), whence.start_span("child"):
        pass


def test_a_function_is_called_once_for_every_trace(spans):
    flags = iter(["a", "b"])
    whence.configure(metadata={"flag": lambda: next(flags), "team": "search"})
    record_one()
    record_one()
    roots = [record for record in spans.records if record.name == "root"]
    assert [root.attributes["whence.metadata.flag"] for root in roots] == ["a", "b"]
    assert [sources_of(root) for root in roots] == [{"flag": "configure()"}] * 2
    children = [record for record in spans.records if record.name == "child"]
    assert [child.attributes.get("whence.metadata.flag") for child in children] == [None, None]


def test_none_leaves_the_key_out_and_other_values_become_text(spans):
    whence.configure(metadata={"nothing": lambda: None, "number": functools.partial(max, 1, 2)})
    record_one()
    assert spans.metadata("root") == {"number": "2"}


def test_the_context_and_the_trace_itself_are_stronger(spans):
    whence.configure(metadata={key: lambda: "computed" for key in ("a", "b", "c")})
    with whence.tracing.context(metadata={"b": "scope"}), whence.start_span("root"):
        whence.update_current_trace(metadata={"c": "trace"})
    assert spans.metadata("root") == {"a": "computed", "b": "scope", "c": "trace"}
    assert sources_of(spans.one("root")) == {"a": "configure()", "b": "context()"}


def test_a_function_that_raises_breaks_nothing_and_is_said_once(spans, warnings_logged):
    class UnprintableError(Exception):
        def __str__(self):
            raise RuntimeError

    def broken():
        raise UnprintableError

    async def later():
        return "x"

    whence.configure(metadata={"broken": broken, "later": lambda: later(), "fine": lambda: "yes"})
    record_one()
    record_one()
    assert [record.name for record in spans.records] == ["child", "root"] * 2
    assert spans.records[1].attributes["whence.metadata.fine"] == "yes"
    assert "whence.metadata.broken" not in spans.records[1].attributes
    assert whence.tracing.stats().problems["computed_metadata"] == 4
    assert len([text for text in warnings_logged() if "'broken'" in text]) == 1


def test_a_traced_function_as_a_value_records_no_trace_of_its_own(spans):
    @whence.trace
    def read_flag():
        return "on"

    whence.configure(metadata={"flag": read_flag})
    record_one()
    assert spans.names() == ["child", "root"]
    assert spans.metadata("root") == {"flag": "on"}


def test_what_is_configured_later_replaces_the_function_and_the_other_way_round(spans):
    whence.configure(metadata={"flag": lambda: "computed", "team": "fixed"})
    whence.configure(metadata={"flag": "fixed", "team": lambda: "computed"})
    record_one()
    assert spans.metadata("root") == {"team": "computed"}


def test_the_named_values_may_be_functions_too(spans):
    whence.configure(environment=lambda: "staging", app_version="1.0")
    record_one()
    assert spans.metadata("root") == {"environment": "staging"}
    with pytest.raises(InvalidInputError):
        whence.configure(region=coroutine_function())


def coroutine_function():
    async def later():
        return 1

    return later


class Asynchronous:
    async def __call__(self):
        return 1


def generator_function():
    def numbers():
        yield 1

    return numbers


@pytest.mark.parametrize(
    "value",
    [
        coroutine_function(),
        functools.partial(coroutine_function()),
        Asynchronous(),
        generator_function(),
    ],
)
def test_a_function_that_would_have_to_be_awaited_is_refused(value):
    with pytest.raises(InvalidInputError, match="'flag' is computed when a trace starts"):
        whence.configure(metadata={"flag": value})


def test_the_switches_for_diffs_and_baggage_are_read_from_call_and_environment(monkeypatch):
    from whence.sdk import settings

    whence.configure(store_diff=True, baggage=["tenant", " user ", "tenant"])
    assert (settings.current.store_diff, settings.current.baggage) == (True, ("tenant", "user"))
    monkeypatch.setenv("WHENCE_STORE_DIFF", "1")
    monkeypatch.setenv("WHENCE_BAGGAGE", "session.id, user.id,")
    whence.tracing.reset()
    assert settings.current.store_diff
    assert settings.current.baggage == ("session.id", "user.id")
    whence.configure(store_diff=False, baggage=[])
    assert (settings.current.store_diff, settings.current.baggage) == (False, ())


@pytest.mark.parametrize("arguments", [{"store_diff": 1}, {"baggage": "user"}, {"baggage": [5]}])
def test_wrong_switches_are_refused(arguments):
    with pytest.raises(InvalidInputError):
        whence.configure(**arguments)
