"""Traffic of two versions, as OTLP/JSON: what each trace took, said and failed with is given."""

from __future__ import annotations

import json
from random import Random
from typing import Any, NamedTuple

from otlp_requests import new_trace_id, span

JSON = {"content-type": "application/json"}
START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
BATCH = 400  # spans a request


class Call(NamedTuple):
    """One trace: a root, the step `rerank` that takes `rerank_ms` of it, and a model call."""

    ms: float
    rerank_ms: float = 5.0
    failed: str = ""
    name: str = "chat"
    session: str = ""
    question: str = "where is my order?"
    tokens: int = 100
    tenant: str = "acme"
    model: str = ""
    cost_usd: float | None = None


def send(
    client: Any,
    version: str | None,
    environment: str,
    calls: list[Call],
    resource: dict[str, str] | None = None,
) -> list[str]:
    """Send the traces, with more of the resource where given; return their ids."""
    whole = {"deployment.environment.name": environment, **(resource or {})}
    if version is not None:
        whole["service.version"] = version
    spans: list[dict[str, Any]] = []
    ids = []
    for number, call in enumerate(calls):
        trace_id = new_trace_id()
        ids.append(f"tr-{trace_id}")
        spans += _spans(trace_id, START_NS + number * 1_000_000_000, call)
    for start in range(0, len(spans), BATCH):
        client.post(
            "/v1/traces",
            content=_body(spans[start : start + BATCH], whole),
            headers=JSON,
        ).raise_for_status()
    return ids


def _spans(trace_id: str, start_ns: int, call: Call) -> list[dict[str, Any]]:
    root, rerank, model = (trace_id[-14:] + end for end in ("01", "02", "03"))
    total, own = int(call.ms * MS), int(call.rerank_ms * MS)
    status = {"code": 2, "message": call.failed} if call.failed else {"code": 1}
    event = {
        "name": "exception",
        "timeUnixNano": str(start_ns + own),
        "attributes": [{"key": "exception.type", "value": {"stringValue": "shop.StockError"}}],
    }
    attributes = {
        "whence.inputs": json.dumps({"question": call.question}),
        "whence.metadata.tenant": call.tenant,
        **({"session.id": call.session} if call.session else {}),
    }
    tokens = [
        {"key": f"gen_ai.usage.{kind}_tokens", "value": {"intValue": str(call.tokens)}}
        for kind in ("input", "output")
    ]
    if call.model:
        said = {"key": "gen_ai.request.model", "value": {"stringValue": call.model}}
        tokens.append(said)
    if call.cost_usd is not None:
        cost = {"doubleValue": call.cost_usd}
        tokens.append({"key": "gen_ai.usage.cost", "value": cost})
    return [
        span(
            trace_id,
            root,
            name=call.name,
            start_ns=start_ns,
            endTimeUnixNano=str(start_ns + total),
            attributes=attributes,
            status=status,
        ),
        span(
            trace_id,
            rerank,
            parentSpanId=root,
            name="rerank",
            start_ns=start_ns + 1,
            endTimeUnixNano=str(start_ns + 1 + own),
            status=status,
            events=[event] if call.failed else [],
        ),
        {
            **span(
                trace_id,
                model,
                parentSpanId=root,
                name="complete",
                start_ns=start_ns + own + 2,
                endTimeUnixNano=str(start_ns + total - 1),
            ),
            "attributes": tokens,
        },
    ]


def _body(spans: list[dict[str, Any]], attributes: dict[str, str]) -> bytes:
    resource = {
        "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in attributes.items()]
    }
    return json.dumps(
        {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
    ).encode()


def draw_calls(
    count: int,
    seed: int,
    *,
    typical_ms: float = 100.0,
    rerank_ms: float = 5.0,
    failing: float = 0.0,
    turns: int = 1,
    **fields: Any,
) -> list[Call]:
    """Draw log-normal durations (σ 0.3), `turns` traces a session, `failing` the share that fails."""
    draw = Random(seed)
    calls = []
    for number in range(count):
        slow = draw.lognormvariate(0, 0.3) * typical_ms
        calls.append(
            Call(
                ms=slow + rerank_ms,
                rerank_ms=rerank_ms,
                failed=f"no item {draw.randrange(1000)} in stock"
                if draw.random() < failing
                else "",
                session=f"{seed}-{number // turns}",
                tokens=draw.randrange(80, 120),
                **fields,
            )
        )
    return calls
