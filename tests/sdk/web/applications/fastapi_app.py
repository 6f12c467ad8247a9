"""A FastAPI application with both decorator orders of `@whence.trace`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import work
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse

import whence

app = whence.web.instrument(FastAPI())


@app.get("/ask")
async def ask(n: str, meet: int = 0) -> str:
    return await work.ask_async(n, meet)


@app.get("/ask-in-thread")
def ask_in_thread(n: str, meet: int = 0) -> str:
    return work.ask(n, meet)


@whence.trace(name="outside")
@app.get("/outside")
def outside(n: str) -> str:
    whence.update_current_trace(metadata={"n": n})
    return n


@app.get("/inside")
@whence.trace(name="inside")
async def inside(n: str) -> str:
    whence.update_current_trace(metadata={"n": n})
    return n


@app.get("/stream")
def stream(n: str) -> StreamingResponse:
    return StreamingResponse(work.produce(n))


@app.get("/stream-async")
async def stream_async(n: str) -> StreamingResponse:
    return StreamingResponse(work.produce_async(n))


@app.get("/thread")
async def thread(n: str) -> str:
    await asyncio.to_thread(work.record, "thread", n)
    await asyncio.create_task(asyncio.to_thread(work.record, "task", n))
    return n


@app.get("/later")
async def later(n: str, tasks: Annotated[BackgroundTasks, None]) -> str:
    tasks.add_task(work.record, "later", n)
    return n


@app.get("/fail")
async def fail(n: str) -> None:
    work.fail(n)
