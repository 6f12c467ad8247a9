"""The demo's application: a shop's chat assistant, traced as any application would be.

Run as `python -m whence.demo.chat SESSIONS SEED` with `APP_VERSION`, `ENVIRONMENT` and `WHENCE_URL`
set; the demo runs one process for each version and environment. The model is a stand-in on this
machine: it waits and answers like one, and nothing leaves the machine. Version 1.1.0 reranks every
passage with every other (slower), and gives the order service less time (more errors); 1.1.1 is the
same code once more, so that comparing the two finds nothing.

Several conversations are held at once, each drawing from its own seed: the same ones every time.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import whence
from whence.demo.corpus import ORDER_STATES, PASSAGES, QUESTIONS
from whence.entities import SpanType

VERSION = os.environ.get("APP_VERSION", "1.0.0")
RERANKS_IN_PAIRS = VERSION != "1.0.0"
ORDER_SERVICE_LIMIT_MS = 16.0 if VERSION == "1.0.0" else 7.0
AT_ONCE = 4


class _Chance(threading.local):
    """What a conversation draws from; each thread holds one conversation at a time."""

    draws = random.Random(0)  # noqa: S311 - the demo wants the same story each time


chance = _Chance()


def words(text: str) -> set[str]:
    """Return the words of a text that are long enough to mean something."""
    return {word.strip(".,;?!").lower() for word in text.split() if len(word) > 3}  # noqa: PLR2004


@whence.trace(span_type=SpanType.RETRIEVER)
def retrieve(question: str, limit: int = 8) -> list[str]:
    """Return the passages that share most words with the question."""
    asked = words(question)
    return sorted(PASSAGES, key=lambda passage: -len(asked & words(passage)))[:limit]


@whence.trace(span_type=SpanType.RERANKER)
def rerank(question: str, passages: list[str]) -> list[str]:
    """Put the best passages first; since 1.1.0 by comparing each with each."""
    asked = words(question)
    if RERANKS_IN_PAIRS:
        time.sleep(0.0008 * len(passages) ** 2)
    return sorted(passages, key=lambda passage: -len(asked & words(passage)) / len(passage))[:3]


@whence.trace(span_type=SpanType.TOOL)
def look_up_order(order: str) -> dict[str, str]:
    """Ask the order service, which sometimes takes too long."""
    needed_ms = chance.draws.lognormvariate(1.6, 0.55)
    time.sleep(min(needed_ms, ORDER_SERVICE_LIMIT_MS) / 1000)
    if needed_ms > ORDER_SERVICE_LIMIT_MS:
        raise TimeoutError(f"the order service gave no answer within {ORDER_SERVICE_LIMIT_MS} ms")
    return {"order": order, "state": chance.draws.choice(ORDER_STATES)}


@whence.trace(span_type=SpanType.CHAT_MODEL)
def complete(messages: list[dict[str, str]]) -> dict[str, Any]:
    """Stand in for a chat model: read, wait as long as the answer takes, answer."""
    input_tokens = sum(len(message["content"]) for message in messages) // 4
    output_tokens = int(chance.draws.lognormvariate(3.4, 0.4))
    time.sleep((2 + 0.02 * input_tokens + 0.25 * output_tokens) / 1000)
    span = whence.get_current_active_span()
    if span is not None:
        span.set_attributes(
            {
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.response.model": "gpt-4o-mini",
                "gen_ai.provider.name": "openai",
                "gen_ai.usage.input_tokens": input_tokens,
                "gen_ai.usage.output_tokens": output_tokens,
            }
        )
    answer = messages[0]["content"].split("\n")[-1]
    return {"choices": [{"message": {"role": "assistant", "content": answer}}]}


@whence.trace(span_type=SpanType.AGENT)
def chat(messages: list[dict[str, str]], *, session: str, user: str) -> dict[str, Any]:
    """Answer one message of a conversation."""
    whence.update_current_trace(session_id=session, user=user, metadata={"channel": "web"})
    question = messages[-1]["content"]
    passages = rerank(question, retrieve(question))
    facts = "\n".join(passages)
    order = next((word.strip("?.,") for word in question.split() if word[:2] == "A-"), None)
    if order is not None:
        facts += f"\n{look_up_order(order)}"
    return complete([{"role": "system", "content": facts}, *messages])


def hold_conversation(number: int, seed: str) -> None:
    """Talk to the assistant for a few turns, as one user in one session."""
    environment = os.environ.get("ENVIRONMENT", "development")
    chance.draws = random.Random(f"{seed}-{VERSION}-{environment}-{number}")  # noqa: S311
    session = f"{environment}-{VERSION}-{number:03}"
    user = f"user-{chance.draws.randrange(12):02}"
    history: list[dict[str, str]] = []
    for _ in range(chance.draws.randint(1, 4)):
        order = f"A-{chance.draws.randrange(1000, 9999)}"
        question = chance.draws.choice(QUESTIONS).format(order=order)
        history.append({"role": "user", "content": question})
        try:
            answer = chat(history, session=session, user=user)
        except TimeoutError:
            history.pop()
            continue
        history.append(answer["choices"][0]["message"])


def main() -> None:
    """Hold the conversations that the command line asks for."""
    sessions, seed = int(sys.argv[1]), sys.argv[2]
    whence.set_experiment("demo")
    with ThreadPoolExecutor(AT_ONCE) as threads:
        held = [threads.submit(hold_conversation, number, seed) for number in range(sessions)]
    for one in held:
        one.result()
    whence.flush_trace_async_logging()


if __name__ == "__main__":
    main()
