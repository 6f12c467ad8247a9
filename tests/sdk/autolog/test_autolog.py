"""Calls of OpenAI's client are recorded by its instrumentor, end to end: client, server, read back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import whence
from openai_server import openai_server
from serving import clean_environment
from whence.entities import Trace
from whence.errors import MissingPackageError
from whence.sdk.autolog import switch
from whence.sdk.autolog.flavors import ELSEWHERE, FLAVORS

PROGRAM = Path(__file__).with_name("program.py")


@pytest.fixture(scope="module")
def provider_url():
    with openai_server() as url:
        yield url


@pytest.fixture
def run(provider_url, whence_server):
    def run(case: str) -> list[dict]:
        environment = clean_environment(
            WHENCE_URL=whence_server.url, WHENCE_EXPERIMENT=f"autolog-{case}"
        )
        done = subprocess.run(
            [sys.executable, str(PROGRAM), provider_url, case],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_a_call_nests_in_the_traced_function_with_its_tokens_and_cost(run):
    (found,) = run("nested")
    ask, call = Trace.from_dict(found).data.spans
    assert (ask.name, call.parent_id) == ("ask", ask.span_id)
    assert call.span_type == "LLM"
    assert call.model_name == "gpt-4o-mini-2024-07-18"
    assert call.token_usage == {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}
    assert call.llm_cost["total_cost"] > 0
    assert "capital of France?" in json.dumps(call.inputs)
    assert "Paris" in json.dumps(call.outputs)
    assert found["usage"] == {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}
    assert found["cost"] == pytest.approx(call.llm_cost)


def test_all_installed_libraries_are_recorded_by_one_call(run):
    (found,) = run("everything")
    assert [span["name"] for span in found["data"]["spans"]] == ["ask", "ChatCompletion"]


def test_a_stream_is_recorded_whole(run):
    (found,) = run("stream")
    (call,) = Trace.from_dict(found).data.spans
    assert call.token_usage["total_tokens"] == 18
    assert "Paris" in json.dumps(call.outputs)


def test_an_error_of_the_provider_is_an_error_of_the_trace(run):
    (found,) = run("failing")
    assert found["info"]["state"] == "ERROR"
    assert "BadRequestError" in json.dumps(found["data"]["spans"][0]["events"])


def test_an_embedding_is_of_its_own_type(run):
    (found,) = run("embedding")
    (call,) = Trace.from_dict(found).data.spans
    assert call.span_type == "EMBEDDING"
    assert call.token_usage["input_tokens"] == 3


def test_concurrent_calls_nest_in_their_coroutine(run):
    (found,) = run("in_async")
    root, *calls = Trace.from_dict(found).data.spans
    assert [call.parent_id for call in calls] == [root.span_id] * 2
    assert found["usage"]["total_tokens"] == 36


@pytest.mark.parametrize("case", ["off", "excluded"])
def test_what_is_switched_off_is_not_recorded(run, case):
    (found,) = run(case)
    assert [span["name"] for span in found["data"]["spans"]] == ["ask"]


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(switch, "entry_points", lambda group: ())


def test_a_missing_instrumentor_is_named(nothing_installed):
    with pytest.raises(MissingPackageError, match="pip install openinference-instrumentation-open"):
        whence.openai.autolog()
    with pytest.raises(ImportError):
        whence.openai.autolog()
    whence.openai.autolog(silent=True)


def test_a_missing_library_is_named():
    with pytest.raises(MissingPackageError, match="needs crewai, which is not installed"):
        whence.crewai.autolog()


def test_what_is_installed_without_its_instrumentor_is_named_in_the_log(nothing_installed, caplog):
    whence.autolog()
    (message,) = [one.getMessage() for one in caplog.records if "openai" in one.getMessage()]
    assert "pip install openinference-instrumentation-openai" in message
    caplog.clear()
    whence.autolog(silent=True)
    whence.autolog(exclude_flavors=["openai"])
    assert "openai" not in caplog.text


def test_an_instrumentor_that_fails_does_not_stop_the_program(monkeypatch, caplog):
    class Broken:
        name = "broken"

        def load(self):
            raise RuntimeError("broken")

        class dist:
            name = "openinference-instrumentation-broken"

    monkeypatch.setattr(switch, "entry_points", lambda group: [Broken()])
    whence.autolog(exclude_flavors=["openai"])
    assert "openinference-instrumentation-broken could not be switched on" in caplog.text


@pytest.mark.parametrize("name", sorted(FLAVORS))
def test_every_library_of_the_table_has_an_autolog(name):
    assert callable(getattr(whence, name).autolog)


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_a_library_that_records_itself_says_how(name):
    with pytest.raises(AttributeError, match=name):
        getattr(whence, name)
