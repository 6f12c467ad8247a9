"""A program that calls OpenAI's client, to be run in a process of its own: `program.py URL CASE`."""

from __future__ import annotations

import asyncio
import json
import sys

import openai

import whence

url, case = sys.argv[1:]
MODEL = "gpt-4o-mini"
ASKED = [{"role": "user", "content": "capital of France?"}]
client = openai.OpenAI(base_url=url, api_key="k", max_retries=0)


@whence.trace
def ask() -> str | None:
    answer = client.chat.completions.create(model=MODEL, messages=ASKED, temperature=0.5)
    return answer.choices[0].message.content


def nested() -> None:
    whence.openai.autolog(log_traces=True, disable=False, exclusive=False)
    whence.openai.autolog()
    assert ask() == "Paris"


def everything() -> None:
    whence.autolog()
    ask()


def stream() -> None:
    whence.openai.autolog()
    chunks = client.chat.completions.create(
        model=MODEL, messages=ASKED, stream=True, stream_options={"include_usage": True}
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Paris"


def failing() -> None:
    whence.openai.autolog()
    try:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "fail"}])
    except openai.BadRequestError:
        return
    raise AssertionError("the error did not arrive")


def embedding() -> None:
    whence.openai.autolog()
    client.embeddings.create(model="text-embedding-3-small", input="Paris")


def in_async() -> None:
    whence.openai.autolog()
    aclient = openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0)

    @whence.trace
    async def ask_twice() -> None:
        chat = aclient.chat.completions
        await asyncio.gather(*(chat.create(model=MODEL, messages=ASKED) for _ in range(2)))

    asyncio.run(ask_twice())


def off() -> None:
    whence.openai.autolog()
    whence.openai.autolog(disable=True)
    ask()


def excluded() -> None:
    whence.autolog(exclude_flavors=["openai"])
    ask()


globals()[case]()
traces = whence.search_traces(return_type="list")
print(
    json.dumps(
        [
            trace.to_dict() | {"usage": trace.info.token_usage, "cost": trace.info.cost}
            for trace in traces
        ]
    )
)
