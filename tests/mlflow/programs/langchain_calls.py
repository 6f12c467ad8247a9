"""Calls by LangChain, recorded by `autolog` of MLflow's client or of ours: the same program.

`langchain_calls.py mlflow|whence PROVIDER_URL`: a JSON object of what was called → its trace.
"""

from __future__ import annotations

import importlib
import json
import sys

import openai
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI

road, provider_url = sys.argv[1:]
mlflow = importlib.import_module(road)
mlflow.set_experiment(f"langchain by {road}")
mlflow.langchain.autolog()

model = ChatOpenAI(
    model="gpt-4o-mini", base_url=provider_url, api_key="k", temperature=0.5, max_retries=0
)
chain = (
    ChatPromptTemplate.from_messages([("system", "be brief"), ("user", "{question}")])
    | model
    | StrOutputParser()
)


@mlflow.trace
def ask(question):
    return chain.invoke({"question": question})


def nested():
    assert ask("capital of France?") == "Paris"


def streamed():
    pieces = model.stream("capital of France?", stream_usage=True)
    assert "".join(str(one.content) for one in pieces) == "Paris"


def alone():
    assert model.invoke("capital of France?").content == "Paris"


def refused():
    try:
        ask("fail")
    except openai.BadRequestError:
        return
    raise AssertionError("the error did not arrive")


def read():
    mlflow.flush_trace_async_logging()
    trace = mlflow.get_trace(mlflow.get_last_active_trace_id())
    usage = trace.info.token_usage
    return {**trace.to_dict(), "usage": usage, "cost": trace.info.cost}


found = {}
for call in (nested, streamed, alone, refused):
    call()
    found[call.__name__] = read()
print(json.dumps(found))
