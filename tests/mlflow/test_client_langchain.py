"""LangChain's calls by `autolog`, of MLflow's client and of ours: the same lands in the same fields.

LangChain and what records it are 60 packages, so they are in an environment of their own (`--slow`).
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from source_tree import ROOT

from installs import make_install
from mlflow_programs import PROGRAMS, QUICK
from openai_server import openai_server
from serving import clean_environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PACKAGES = ("langchain-openai", "openinference-instrumentation-langchain", "mlflow-tracing==3.17.2")
ROADS = ("mlflow", "whence")
CASES = ("nested", "streamed", "alone", "refused")
USAGE = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}


@pytest.fixture(scope="module")
def found(server, tmp_path_factory) -> dict[str, dict[str, Any]]:
    """What each road recorded: road → case → the trace, read back by the same road."""
    install = make_install(tmp_path_factory.mktemp("langchain") / "venv", *PACKAGES)
    environment = clean_environment(MLFLOW_TRACKING_URI=server.url, WHENCE_URL=server.url, **QUICK)
    program = str(PROGRAMS / "langchain_calls.py")
    recorded = {}
    with openai_server() as provider_url:
        for road in ROADS:
            done = subprocess.run(
                [install.python, "-W", "ignore", program, road, provider_url],
                env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=170,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            recorded[road] = json.loads(done.stdout.splitlines()[-1])
    return recorded


def spans_of(trace: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [
        (one, {key: json.loads(text) for key, text in one["attributes"].items()})
        for one in trace["data"]["spans"]
    ]


def tree_of(trace: dict[str, Any]) -> set[tuple[str, str | None]]:
    names = {one["span_id"]: one["name"] for one, _ in spans_of(trace)}
    return {(one["name"], names.get(one["parent_span_id"])) for one, _ in spans_of(trace)}


def model_call(trace: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of the span that called the model."""
    (attributes,) = [
        attributes for one, attributes in spans_of(trace) if one["name"] == "ChatOpenAI"
    ]
    return attributes


@pytest.mark.parametrize("case", CASES)
def test_both_roads_record_the_same_tree(found, case):
    trees = [tree_of(found[road][case]) for road in ROADS]
    assert trees[0] == trees[1] and ("ChatOpenAI", None) in {(name, None) for name, _ in trees[0]}


def test_a_chain_nests_in_the_traced_function(found):
    for road in ROADS:
        tree = tree_of(found[road]["nested"])
        assert {
            ("ask", None),
            ("RunnableSequence", "ask"),
            ("ChatOpenAI", "RunnableSequence"),
        } <= tree


@pytest.mark.parametrize("case", ["nested", "streamed", "alone"])
@pytest.mark.parametrize("road", ROADS)
def test_messages_model_tokens_and_cost_are_in_the_same_fields(found, road, case):
    trace = found[road][case]
    call = model_call(trace)
    assert call["mlflow.chat.tokenUsage"] == USAGE == trace["usage"]
    assert call["mlflow.llm.model"].startswith("gpt-4o-mini")
    assert call["mlflow.llm.provider"] == "openai"
    assert "capital of France?" in json.dumps(call["mlflow.spanInputs"])
    assert "Paris" in json.dumps(call["mlflow.spanOutputs"])
    assert call["mlflow.spanType"] in ("CHAT_MODEL", "LLM")  # OpenInference knows no other
    assert trace["cost"] == pytest.approx(found["mlflow"][case]["cost"])
    assert trace["cost"]["total_cost"] > 0 and trace["info"]["state"] == "OK"


@pytest.mark.parametrize("road", ROADS)
def test_a_refused_call_is_an_error_up_to_the_root(found, road):
    trace = found[road]["refused"]
    assert trace["info"]["state"] == "ERROR"
    codes = {one["name"]: one["status"]["code"] for one, _ in spans_of(trace)}
    assert {codes[name] for name in ("ask", "RunnableSequence", "ChatOpenAI")} == {
        "STATUS_CODE_ERROR"
    }
    failed = next(one for one, _ in spans_of(trace) if one["name"] == "ChatOpenAI")
    assert "exception" in [one["name"] for one in failed["events"]]
