"""The traced program whose store is weighed: five spans a trace, with texts that never repeat.

    python answers.py PROGRAM.py --url URL --traces 2000 [--payload short|chat] [--seed 1]

The program is a library's, as `driver.py` says, and runs in the environment of its library. What
is traced is the same for all: a root with three children and a grandchild, arguments and result
captured on each, two metadata keys on the trace. `short` is a question of a dozen words and an
answer of thirty; `chat` is what a retrieval app sends to a model: a long system prompt, the
conversation so far, passages.
The text is made from the language's own help pages, word pair by word pair, so that it compresses
like English and never comes twice. Prints one line of JSON: `traces`, `payload_bytes` (inputs and
outputs as JSON, all five spans) and `seconds`, once everything is delivered.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics
from typing import TYPE_CHECKING, Any

from driver import load

if TYPE_CHECKING:
    from types import ModuleType

Function = Callable[..., Any]


class Text:
    """English that nobody wrote: each word follows the two before it as in Python's help pages."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self._next: dict[tuple[str, str], list[str]] = defaultdict(list)
        for page in topics.values():
            words = page.split()
            for first, second, third in zip(words, words[1:], words[2:], strict=False):
                self._next[first, second].append(third)
        self._pairs = list(self._next)

    def write(self, words: int) -> str:
        """Return about so many words."""
        pair = self.draw.choice(self._pairs)
        text = list(pair)
        while len(text) < words:
            following = self._next.get(pair)
            if following is None:
                pair = self.draw.choice(self._pairs)
                text += pair
                continue
            pair = (pair[1], self.draw.choice(following))
            text.append(pair[1])
        return " ".join(text)


def build_app(program: ModuleType, text: Text, payload: str) -> tuple[Function, Callable[[], int]]:
    """Return the traced function, and how many bytes of payload its spans have had so far."""
    long = payload == "chat"
    draw = text.draw
    prompt = text.write(250 if long else 20)
    seen = 0

    def step(kind: str) -> Callable[[Function], Function]:
        def decorate(function: Function) -> Function:
            @functools.wraps(function)
            def counted(**given: Any) -> Any:
                nonlocal seen
                result = function(**given)
                seen += len(json.dumps(given)) + len(json.dumps(result))
                return result

            traced: Function = program.decorate(counted, kind)
            return traced

        return decorate

    @step("EMBEDDING")
    def embed(*, text: str) -> dict[str, Any]:
        return {"dimensions": 1536, "tokens": len(text) // 4}

    @step("RETRIEVER")
    def retrieve(*, question: str, limit: int) -> list[dict[str, Any]]:
        embed(text=question)
        return [
            {
                "id": f"doc-{draw.randrange(100_000)}",
                "score": round(draw.random(), 4),
                **({"text": text.write(90)} if long else {}),
            }
            for _ in range(limit)
        ]

    @step("RERANKER")
    def rerank(*, question: str, ids: list[str]) -> list[str]:
        return sorted(ids, key=lambda one: (len(question), one))[:2]

    @step("CHAT_MODEL")
    def generate(
        *,
        messages: list[dict[str, str]],  # noqa: ARG001 - recorded, not used
        temperature: float,  # noqa: ARG001
    ) -> dict[str, Any]:
        words = 180 if long else 30
        return {"role": "assistant", "content": text.write(words)}

    @step("AGENT")
    def answer(*, question: str, user: str) -> str:  # noqa: ARG001
        program.say({"tenant": f"tenant-{draw.randrange(200)}", "channel": "web"})
        passages = retrieve(question=question, limit=5 if long else 3)
        rerank(question=question, ids=[one["id"] for one in passages])
        history = [
            {"role": role, "content": text.write(60)}
            for role in (("user", "assistant", "user", "assistant") if long else ())
        ]
        facts = "\n".join(one.get("text", one["id"]) for one in passages)
        messages = [
            {"role": "system", "content": prompt},
            *history,
            {"role": "system", "content": facts},
            {"role": "user", "content": question},
        ]
        return str(generate(messages=messages, temperature=0.2)["content"])

    return answer, lambda: seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("--url", required=True)
    parser.add_argument("--traces", type=int, default=2000)
    parser.add_argument("--payload", choices=("short", "chat"), default="short")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause-every", type=int, default=200, help="flush after so many traces")
    options = parser.parse_args()
    text = Text(options.seed)
    program = load(options.program)
    program.setup(options.url)
    answer, count_bytes = build_app(program, text, options.payload)
    started = time.perf_counter()
    for number in range(options.traces):
        answer(question=text.write(12), user=f"user-{text.draw.randrange(500)}")
        if number % options.pause_every == options.pause_every - 1:
            program.finish()
    program.finish()
    found = {
        "traces": options.traces,
        "payload_bytes": count_bytes(),
        "seconds": time.perf_counter() - started,
        "pid": os.getpid(),
    }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
