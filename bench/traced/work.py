"""The traced work: five functions that call each other, plain and as coroutines.

A library's program decorates them (see `driver.py`). They do nothing themselves, so that what is
measured is the tracing. The outermost says two metadata keys about its trace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

DEPTH = 5
MESSAGES = [{"role": "user", "content": "Where does this trace come from? " * 4}]
METADATA = {"app_version": "2.1.0", "tenant": "tenant-17"}

Function = Callable[..., Any]
Decorate = Callable[[Function], Function]
Say = Callable[[dict[str, str]], object]


def nest(decorate: Decorate, say: Say) -> Callable[[], Any]:
    """Return a call of five nested functions."""

    @decorate
    def generate(messages, temperature=0.5):  # noqa: ARG001 - recorded, not used
        return {"answer": messages[0]["content"]}

    @decorate
    def rerank(messages, temperature=0.5):
        return generate(messages, temperature)

    @decorate
    def retrieve(messages, temperature=0.5):
        return rerank(messages, temperature)

    @decorate
    def plan(messages, temperature=0.5):
        return retrieve(messages, temperature)

    @decorate
    def answer(messages, temperature=0.5):
        say(METADATA)
        return plan(messages, temperature)

    return lambda: answer(MESSAGES)


def nest_async(decorate: Decorate, say: Say) -> Callable[[], Awaitable[Any]]:
    """Return the same as coroutines; each lets the other tasks run before it goes on."""

    @decorate
    async def generate(messages, temperature=0.5):  # noqa: ARG001
        await asyncio.sleep(0)
        return {"answer": messages[0]["content"]}

    @decorate
    async def rerank(messages, temperature=0.5):
        await asyncio.sleep(0)
        return await generate(messages, temperature)

    @decorate
    async def retrieve(messages, temperature=0.5):
        await asyncio.sleep(0)
        return await rerank(messages, temperature)

    @decorate
    async def plan(messages, temperature=0.5):
        await asyncio.sleep(0)
        return await retrieve(messages, temperature)

    @decorate
    async def answer(messages, temperature=0.5):
        say(METADATA)
        await asyncio.sleep(0)
        return await plan(messages, temperature)

    return lambda: answer(MESSAGES)
