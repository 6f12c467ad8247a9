"""Traces of a chat application, as OTLP/JSON: two versions, three environments, sessions, errors.

Deterministic but for the time they end at, so that a page shows the same list every time.
"""

from __future__ import annotations

import json
from random import Random
from typing import NamedTuple

MS = 1_000_000
QUESTIONS = (
    ("Where is my order 48213?", "It left our warehouse this morning and arrives on Thursday."),
    ("Can I return opened headphones?", "Yes, within 30 days, with every part in the box."),
    ("How do I reset my password?", "Open Account, choose Security, then Reset password."),
    ("Is the blue jacket back in stock?", "Not yet; it is expected at the end of the month."),
    ("Why was I charged twice?", "The second charge is a hold and disappears in three days."),
    ("Do you ship to Norway?", "Yes: three to five working days, duties included."),
    ("Cancel my subscription", "Done. It stays active until the end of the period."),
    ("Compare the two coffee grinders", "The conical one is quieter; the flat one is faster."),
)
ENVIRONMENTS = ("production", "production", "production", "staging", "development")
COMMITS = {
    "1.0.0": "9f2c4e7a1b3d5f60718293a4b5c6d7e8f9012345",
    "1.1.0": "41d0c8b7e6f5a49382716f5e4d3c2b1a09f8e7d6",
}


class Sent(NamedTuple):
    """What a test needs to know of a trace that it sent."""

    trace_id: str
    environment: str
    app_version: str
    failed: bool


def any_value(value: object) -> dict[str, object]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": str(value)}


def key_values(values: dict[str, object]) -> list[dict[str, object]]:
    return [{"key": key, "value": any_value(value)} for key, value in values.items()]


def span(
    trace_id: str,
    number: int,
    parent: int | None,
    name: str,
    start_ns: int,
    end_ns: int | None,
    **values: object,
) -> dict[str, object]:
    """One span; `values` are attributes with `__` for a dot, and `error` for a failure."""
    error = values.pop("error", None)
    record: dict[str, object] = {
        "traceId": trace_id,
        "spanId": f"{number:016x}",
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(end_ns or 0),
        "attributes": key_values({key.replace("__", "."): value for key, value in values.items()}),
        "status": {"code": 2, "message": str(error)} if error else {"code": 1},
    }
    if parent is not None:
        record["parentSpanId"] = f"{parent:016x}"
    if error:
        stack = f'File "app/answer.py", line 41, in call_model\nTimeoutError: {error}'
        attributes = {
            "exception.type": "TimeoutError",
            "exception.message": error,
            "exception.stacktrace": stack,
        }
        record["events"] = [
            {"name": "exception", "timeUnixNano": str(end_ns), "attributes": key_values(attributes)}
        ]
    return record


def request(
    app_version: str, environment: str, spans: list[dict[str, object]]
) -> dict[str, object]:
    resource = {
        "service.name": "support-chat",
        "service.version": app_version,
        "deployment.environment.name": environment,
        "vcs.ref.head.revision": COMMITS.get(app_version, COMMITS["1.0.0"]),
        "vcs.ref.head.name": "main",
        "vcs.repository.url.full": "https://git.example/shop/support-chat",
        "cloud.region": "eu-west-1",
    }
    return {
        "resourceSpans": [
            {"resource": {"attributes": key_values(resource)}, "scopeSpans": [{"spans": spans}]}
        ]
    }


def chat_trace(
    trace_id: str, start_ns: int, app_version: str, turn: int, *, failed: bool, rng: Random
) -> list[dict[str, object]]:
    """A question answered: find documents, maybe look the order up, ask the model twice, check."""
    question, answer = QUESTIONS[turn % len(QUESTIONS)]
    search = int(rng.uniform(40, 90)) * MS
    rerank = int(rng.uniform(12, 30) * (3.2 if app_version == "1.1.0" else 1.0)) * MS
    plan, think = int(rng.uniform(180, 420)) * MS, int(rng.uniform(500, 1300)) * MS
    at = start_ns + 3 * MS
    spans = []

    def add(
        number: int, parent: int, name: str, length_ns: int, span_type: str, **values: object
    ) -> None:
        nonlocal at
        spans.append(
            span(
                trace_id,
                number,
                parent,
                name,
                at,
                at + length_ns,
                mlflow__spanType=span_type,
                **values,
            )
        )

    add(
        2,
        1,
        "retrieve",
        search + rerank,
        "RETRIEVER",
        whence__inputs=json.dumps({"query": question, "k": 8}),
    )
    add(
        3,
        2,
        "embed_query",
        search // 3,
        "EMBEDDING",
        gen_ai__request__model="text-embedding-3-small",
        gen_ai__usage__input_tokens=9,
    )
    at += search
    add(4, 2, "rerank", rerank, "RERANKER", whence__outputs=json.dumps([0.91, 0.84, 0.52]))
    at += rerank + MS
    add(
        5,
        1,
        "plan",
        plan,
        "CHAT_MODEL",
        gen_ai__request__model="gpt-4o-mini",
        gen_ai__provider__name="openai",
        gen_ai__usage__input_tokens=212 + turn,
        gen_ai__usage__output_tokens=31,
    )
    at += plan + MS
    add(
        6,
        1,
        "lookup_order",
        24 * MS,
        "TOOL",
        whence__inputs=json.dumps({"order": 48213}),
        whence__outputs=json.dumps({"status": "shipped", "eta_days": 2}),
    )
    at += 25 * MS
    messages = [
        {"role": "system", "content": "You are a helpful support agent."},
        {"role": "user", "content": question},
    ]
    outcome = (
        {"error": "the model did not answer within 10 s"}
        if failed
        else {"whence__outputs": json.dumps({"role": "assistant", "content": answer})}
    )
    add(
        7,
        1,
        "write_answer",
        think,
        "CHAT_MODEL",
        whence__inputs=json.dumps({"messages": messages, "temperature": 0.2}),
        gen_ai__request__model="gpt-4o",
        gen_ai__provider__name="openai",
        gen_ai__usage__input_tokens=640 + 7 * turn,
        gen_ai__usage__output_tokens=88,
        **outcome,
    )
    at += think + MS
    if not failed:
        add(8, 1, "check_tone", 6 * MS, "GUARDRAIL", whence__outputs="true")
        at += 7 * MS
    values: dict[str, object] = {
        "mlflow__spanType": "AGENT",
        "session__id": f"session-{turn // 4:03d}",
        "user__id": f"user-{turn % 7}",
        "whence__request_preview": question,
        "whence__inputs": json.dumps({"message": question}),
        "error": "the model did not answer within 10 s" if failed else None,
    }
    if not failed:
        values |= {
            "whence__response_preview": answer,
            "whence__outputs": json.dumps({"answer": answer}),
        }
    return [span(trace_id, 1, None, "handle_chat", start_ns, at, **values), *spans]


def chat_requests(count: int, end_ns: int) -> list[tuple[Sent, dict[str, object]]]:
    """`count` traces, the last of which begins shortly before `end_ns`."""
    rng = Random(7)
    sent = []
    for turn in range(count):
        app_version = "1.1.0" if turn % 2 else "1.0.0"
        environment = ENVIRONMENTS[turn % len(ENVIRONMENTS)]
        failed = turn % 13 == 5
        trace_id = f"{rng.getrandbits(128):032x}"
        start_ns = end_ns - (count - turn) * 7_310 * MS
        spans = chat_trace(trace_id, start_ns, app_version, turn, failed=failed, rng=rng)
        known = Sent(f"tr-{trace_id}", environment, app_version, failed)
        sent.append((known, request(app_version, environment, spans)))
    return sent
