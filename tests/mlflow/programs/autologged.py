"""Calls of OpenAI's client, recorded by MLflow's own autologging; the address comes as an argument."""

from __future__ import annotations

import sys

import openai

import mlflow

USER = {"role": "user", "content": "capital of France?"}
openai_client = openai.OpenAI(base_url=sys.argv[2], api_key="k", max_retries=0)


@mlflow.trace
def _ask(text):
    done = openai_client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": text}], temperature=0.5
    )
    return done.choices[0].message.content


def _read():
    return mlflow.get_trace(mlflow.get_last_active_trace_id()).to_dict()


def nested():
    mlflow.set_experiment("autologged")
    mlflow.openai.autolog()
    _ask(USER["content"])
    return _read()


def streamed():
    stream = openai_client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[USER],
        stream=True,
        stream_options={"include_usage": True},
    )
    for _ in stream:
        pass
    return _read()


def embedded():
    openai_client.embeddings.create(model="text-embedding-3-small", input="Paris")
    return _read()


def refused():
    try:
        _ask("fail")
    except openai.BadRequestError:
        pass
    return _read()


def found_by_tokens():
    traces = mlflow.search_traces(filter_string="span.type = 'CHAT_MODEL'", return_type="list")
    return [
        len(traces),
        sum((trace.info.token_usage or {}).get("total_tokens", 0) for trace in traces),
    ]
