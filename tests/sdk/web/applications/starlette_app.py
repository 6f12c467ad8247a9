"""A Starlette application; `whence.web.instrument` is all that concerns headers."""

from __future__ import annotations

import asyncio

import work
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

import whence


async def ask(request):
    number = request.query_params["n"]
    return PlainTextResponse(
        await work.ask_async(number, int(request.query_params.get("meet", "0")))
    )


def ask_in_thread(request):
    number = request.query_params["n"]
    return PlainTextResponse(work.ask(number, int(request.query_params.get("meet", "0"))))


async def stream(request):
    return StreamingResponse(work.produce(request.query_params["n"]))


async def stream_async(request):
    return StreamingResponse(work.produce_async(request.query_params["n"]))


async def thread(request):
    number = request.query_params["n"]
    await asyncio.to_thread(work.record, "thread", number)
    task = asyncio.create_task(asyncio.to_thread(work.record, "task", number))
    await task
    return PlainTextResponse(number)


async def later(request):
    number = request.query_params["n"]
    return PlainTextResponse(number, background=BackgroundTask(work.record, "later", number))


async def fail(request):
    work.fail(request.query_params["n"])


app = Starlette(
    routes=[
        Route("/ask", ask),
        Route("/ask-in-thread", ask_in_thread),
        Route("/stream", stream),
        Route("/stream-async", stream_async),
        Route("/thread", thread),
        Route("/later", later),
        Route("/fail", fail),
    ]
)
whence.web.instrument(app)
