"""What the handlers of every application do: start traces, and read no header.

Each trace says the request's number in its metadata, so that a test can tell whether the session
that Whence gave it is that request's. `meet` lets this many requests wait for each other.
"""

from __future__ import annotations

import asyncio
import threading

import whence

PATIENCE_S = 20
barriers: dict[int, threading.Barrier] = {}
lock = threading.Lock()


def record(name: str, number: str) -> None:
    """Record one trace."""
    with whence.start_span(name):
        whence.update_current_trace(metadata={"n": number})


def meet(others: int) -> None:
    """Wait in a thread until this many requests are here."""
    if others:
        with lock:
            barrier = barriers.setdefault(others, threading.Barrier(others))
        barrier.wait(PATIENCE_S)


class Meeting:
    """The same for coroutines of one event loop."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[None]] = []

    async def meet(self, others: int) -> None:
        if not others:
            return
        self.waiting.append(asyncio.get_running_loop().create_future())
        mine = self.waiting[-1]
        if len(self.waiting) == others:
            for one in self.waiting:
                one.set_result(None)
            self.waiting.clear()
        await asyncio.wait_for(mine, PATIENCE_S)


meeting = Meeting()


def ask(number: str, others: int = 0) -> str:
    meet(others)
    record("before", number)
    meet(others)
    record("ask", number)
    return number


async def ask_async(number: str, others: int = 0) -> str:
    await meeting.meet(others)
    record("before", number)
    await meeting.meet(others)
    record("ask", number)
    return number


def produce(number: str):
    """Yield the parts of a body, each of which costs a trace."""
    with whence.start_span("stream"):
        whence.update_current_trace(metadata={"n": number})
        for part in range(3):
            with whence.start_span("part"):
                pass
            yield f"{part}\n".encode()
    record("after stream", number)


async def produce_async(number: str):
    for part in produce(number):
        await asyncio.sleep(0)
        yield part


def fail(number: str) -> None:
    with whence.start_span("fail"):
        whence.update_current_trace(metadata={"n": number})
        raise RuntimeError("the handler's own")
