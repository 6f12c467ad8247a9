"""OTLP requests as programs send them, prebuilt, so that sending one costs next to nothing.

A trace is five spans of a chat application: a chain with a retriever (which embeds), a ranker and
a model call. `sdk` is what Whence's SDK sends of it (resource with provenance, inputs and outputs
on every span, metadata on the root), `opentelemetry` what a plain OpenTelemetry program with the
GenAI conventions does. All ids of a request hold the same four bytes; `Template.body` replaces
them, so that every request has traces of its own.
"""

from __future__ import annotations

import json
import random
import time
from typing import Any

import msgspec

from whence.otlp import json as otlp_json
from whence.otlp import protobuf as otlp_protobuf
from whence.otlp.records import STATUS_OK, Resource, ResourceSpans, SpanRecord

JSON, PROTOBUF = "json", "protobuf"
SDK, OPENTELEMETRY = "sdk", "opentelemetry"
CONTENT_TYPES = {JSON: otlp_json.JSON_TYPE, PROTOBUF: otlp_json.PROTOBUF_TYPE}
SPANS_A_TRACE = 5
MARK = bytes.fromhex("fdb7a9e3")
MODELS = ("gpt-4o-mini", "gpt-4o", "claude-sonnet-4-5")
_TEXT = """
    refund order delivery invoice password account shipping address cancel subscription price
    discount return warranty broken late missing exchange payment card error login reset help the
    a my was not yet please can you what when where is for of and with
"""
WORDS = _TEXT.split()
STEPS = ("answer", "retrieve", "embed", "rank", "generate")
TYPES = ("CHAIN", "RETRIEVER", "EMBEDDING", "RERANKER", "CHAT_MODEL")
PARENTS = (None, 0, 1, 0, 0)


class Template(msgspec.Struct, frozen=True):
    """The body of one request in which `mark` stands wherever an id begins."""

    raw: bytes
    mark: bytes
    spans: int

    def body(self, number: int) -> bytes:
        """Return the request with ids of its own, made of a number below 2**32."""
        digits = number.to_bytes(4, "big")
        return self.raw.replace(self.mark, digits if len(self.mark) == 4 else digits.hex().encode())


def make_templates(
    dialect: str, encoding: str, *, spans: int, count: int = 16, seed: int = 3
) -> list[Template]:
    """Return `count` different requests of `spans` spans each, whole traces where it divides."""
    draw = random.Random(seed)
    make = {SDK: _sdk_trace, OPENTELEMETRY: _opentelemetry_trace}[dialect]
    resource = Resource({SDK: _SDK_RESOURCE, OPENTELEMETRY: _OPENTELEMETRY_RESOURCE}[dialect])
    encode = {JSON: otlp_json.encode_request, PROTOBUF: otlp_protobuf.encode_request}[encoding]
    mark = MARK if encoding == PROTOBUF else MARK.hex().encode()
    templates = []
    for _ in range(count):
        records: list[SpanRecord] = []
        while len(records) < spans:
            records += make(draw)
        templates.append(Template(encode([ResourceSpans(resource, records[:spans])]), mark, spans))
    return templates


def _sentence(draw: random.Random, words: int) -> str:
    return " ".join(draw.choices(WORDS, k=words))


def _tree(draw: random.Random) -> list[SpanRecord]:
    """Return the spans of a trace with ids, names and times only, the root last, as SDKs send."""
    trace_id = MARK.hex() + f"{draw.getrandbits(96):024x}"
    span_ids = [MARK.hex() + f"{draw.getrandbits(32):08x}" for _ in STEPS]
    start_ns = time.time_ns() - draw.randrange(10**10)
    length_ns = int(draw.lognormvariate(20.5, 0.8))
    spans = [
        SpanRecord(
            trace_id=trace_id,
            span_id=span_ids[index],
            parent_id=None if parent is None else span_ids[parent],
            name=step,
            start_time_ns=start_ns + index * length_ns // 6,
            end_time_ns=start_ns + (length_ns if parent is None else (index + 1) * length_ns // 6),
            status=STATUS_OK,
        )
        for index, (step, parent) in enumerate(zip(STEPS, PARENTS, strict=True))
    ]
    return spans[::-1]


def _payloads(draw: random.Random) -> list[tuple[str, str]]:
    """Return inputs and outputs of every step, in the order of `STEPS`, as JSON text."""
    question = _sentence(draw, 14)
    found = [{"id": draw.randrange(10**6), "text": _sentence(draw, 30)} for _ in range(3)]
    reply = {"role": "assistant", "content": _sentence(draw, 60)}
    messages = [
        {"role": "system", "content": "You answer questions of our customers. " * 4},
        {"role": "user", "content": question},
    ]
    pairs: list[tuple[Any, Any]] = [
        ({"question": question, "user": "u"}, reply["content"]),
        ({"query": question, "k": 3}, found),
        ({"text": question}, [round(draw.random(), 4) for _ in range(16)]),
        ({"documents": [one["id"] for one in found]}, [2, 0, 1]),
        ({"messages": messages, "temperature": 0.2}, {"choices": [{"message": reply}]}),
    ]
    return [
        (json.dumps(inputs, separators=(",", ":")), json.dumps(outputs, separators=(",", ":")))
        for inputs, outputs in pairs
    ]


def _sdk_trace(draw: random.Random) -> list[SpanRecord]:
    spans = _tree(draw)
    payloads = _payloads(draw)
    for span in spans:
        index = STEPS.index(span.name)
        inputs, outputs = payloads[index]
        span.attributes = {
            "mlflow.spanType": TYPES[index],
            "mlflow.spanFunctionName": span.name,
            "whence.inputs": inputs,
            "whence.outputs": outputs,
            "mlflow.spanLogLevel": 20,
        }
        if span.name == "generate":
            span.attributes |= {
                "mlflow.llm.model": draw.choice(MODELS),
                "mlflow.llm.provider": "openai",
                "mlflow.chat.tokenUsage": {
                    "input_tokens": draw.randrange(200, 4000),
                    "output_tokens": draw.randrange(20, 800),
                },
            }
        if span.parent_id is None:
            span.attributes |= {
                "whence.metadata.mlflow.trace.session": f"session-{draw.randrange(10**6)}",
                "whence.metadata.mlflow.trace.user": f"user-{draw.randrange(10**4)}",
                "whence.metadata.tenant": f"tenant-{draw.randrange(400)}",
            }
    return spans


def _opentelemetry_trace(draw: random.Random) -> list[SpanRecord]:
    spans = _tree(draw)
    payloads = _payloads(draw)
    for span in spans:
        index = STEPS.index(span.name)
        inputs, outputs = payloads[index]
        span.scope = "opentelemetry.instrumentation.openai_v2" if index == 4 else "shop.pipeline"
        span.attributes = {"input.value": inputs, "output.value": outputs}
        if span.name == "generate":
            span.kind = 3
            span.attributes = {
                "gen_ai.operation.name": "chat",
                "gen_ai.system": "openai",
                "gen_ai.request.model": draw.choice(MODELS),
                "gen_ai.request.temperature": 0.2,
                "gen_ai.response.id": f"chatcmpl-{draw.getrandbits(64):016x}",
                "gen_ai.response.finish_reasons": ["stop"],
                "gen_ai.usage.input_tokens": draw.randrange(200, 4000),
                "gen_ai.usage.output_tokens": draw.randrange(20, 800),
                "gen_ai.input.messages": inputs,
                "gen_ai.output.messages": outputs,
                "server.address": "api.openai.com",
                "server.port": 443,
            }
        if span.parent_id is None:
            span.kind = 2
            span.attributes |= {
                "http.request.method": "POST",
                "url.path": "/v1/answers",
                "http.response.status_code": 200,
                "session.id": f"session-{draw.randrange(10**6)}",
                "user.id": f"user-{draw.randrange(10**4)}",
            }
    return spans


_COMMIT = "7d4e1c02b9a85f3360e1d2c4a5b6978812345678"
_SDK_SAID = {
    "vcs.ref.head.revision": (_COMMIT, ".git (current folder)"),
    "vcs.ref.head.name": ("main", ".git (current folder)"),
    "vcs.repository.url.full": ("https://git.example.org/shop.git", ".git (current folder)"),
    "deployment.environment.name": ("production", "WHENCE_ENVIRONMENT"),
    "service.name": ("shop", "pyproject.toml"),
    "service.version": ("2.3.1", "pyproject.toml"),
    "whence.metadata.whence.git.dirty": ("false", ".git (current folder)"),
    "whence.metadata.mlflow.source.name": ("/srv/shop/main.py", "sys.argv"),
    "whence.metadata.mlflow.source.type": ("LOCAL", "the running process"),
    "whence.metadata.mlflow.user": ("app", "the operating system"),
    "host.arch": ("amd64", "the operating system"),
    "host.name": ("node-17", "the operating system"),
    "os.type": ("linux", "the operating system"),
    "process.executable.name": ("python", "the running process"),
    "process.pid": (831, "the running process"),
    "process.runtime.name": ("cpython", "the running process"),
    "process.runtime.version": ("3.11.7", "the running process"),
}
_SDK_RESOURCE: dict[str, Any] = {
    "telemetry.sdk.name": "whence",
    "telemetry.sdk.language": "python",
    "telemetry.sdk.version": "0.1.0",
    **{key: value for key, (value, _) in _SDK_SAID.items()},
    "whence.provenance": json.dumps(
        {key.removeprefix("whence.metadata."): source for key, (_, source) in _SDK_SAID.items()}
    ),
    "mlflow.experimentId": "1",
    "whence.experiment.name": "shop",
}
_OPENTELEMETRY_RESOURCE: dict[str, Any] = {
    "telemetry.sdk.language": "python",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.version": "1.38.0",
    "service.name": "shop",
    "service.version": "2.3.1",
    "service.instance.id": "627cc493-f310-47de-96bd-71410b7dec09",
    "deployment.environment.name": "production",
    "vcs.ref.head.revision": _COMMIT,
    "host.name": "node-17",
    "process.pid": 831,
}
