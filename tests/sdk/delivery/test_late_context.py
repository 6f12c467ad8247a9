"""Roots wait for the slow part of the process's context; nothing else does, and nothing is lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from otlp_sink import Answer, Item, Root, Sink
from whence.otlp.segments import read_segments
from whence.sdk import diagnostics
from whence.sdk.delivery import late
from whence.sdk.delivery import pipeline as pipeline_module
from whence.sdk.delivery.destination import parse_destination
from whence.sdk.delivery.pipeline import Pipeline


class Document(NamedTuple):
    kind: str
    hash: str
    text: str


class SlowContext:
    """A process whose work tree takes until `release` to be measured."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.calls = 0
        self.is_done = False
        self.error: Exception | None = None
        self.documents: list[Document] = []

    def resource(self) -> dict[str, str]:
        return {"commit": "c1", **({"dirty": "true"} if self.is_done else {})}

    def resolve(self) -> None:
        self.calls += 1
        self.begun.set()
        self.may_end.wait(30)
        if self.error is not None:
            raise self.error
        self.is_done = True

    def release(self) -> None:
        self.may_end.set()


Open = Callable[..., Pipeline]


@pytest.fixture
def context() -> Iterator[SlowContext]:
    context = SlowContext()
    yield context
    context.release()


@pytest.fixture
def open_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: SlowContext
) -> Iterator[Open]:
    monkeypatch.setenv("WHENCE_SPOOL", str(tmp_path / "outbox"))
    diagnostics.reset()
    opened: list[Pipeline] = []

    def make(url: str, **settings: object) -> Pipeline:
        opened.append(
            Pipeline(
                context.resource,
                is_settled=lambda: context.is_done,
                resolve_late=context.resolve,
                documents=lambda: context.documents if context.is_done else [],
                destination=parse_destination(url),
                **settings,
            )
        )
        return opened[-1]

    yield make
    context.release()
    for pipeline in opened:
        pipeline.shutdown(1)


def resources(sink: Sink) -> dict[str, dict[str, str]]:
    """The resource that each finished span arrived with."""
    return {
        span.name: group.resource.attributes
        for request in sink.requests
        if request.answer.status == 200
        for group in request.groups
        for span in group.spans
        if span.end_time_ns
    }


def dirty_names(sink: Sink) -> set[str]:
    return {name for name, attributes in resources(sink).items() if attributes.get("dirty")}


def test_a_root_waits_for_the_context_and_its_children_do_not(
    sink: Sink, open_pipeline: Open, context: SlowContext
) -> None:
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Item("child"))
    pipeline.submit(Root("root"))
    sink.wait_for("child")
    assert sink.names() == {"child"}
    assert pipeline.stats().queued == 1
    context.release()
    sink.wait_for("root")
    assert dirty_names(sink) == {"root"}
    assert pipeline.flush(20)
    pipeline.submit(Root("next"))
    assert pipeline.flush(20)
    assert dirty_names(sink) == {"root", "next"}
    assert context.calls == 1
    assert "late_context" not in diagnostics.counts
    stats = pipeline.stats()
    assert (stats.recorded, stats.exported, stats.queued) == (3, 3, 0)


def test_flush_waits_for_the_context_as_long_as_it_may(
    sink: Sink, open_pipeline: Open, context: SlowContext
) -> None:
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Root("root"))
    assert not pipeline.flush(0.2)
    assert sink.names() == set()
    threading.Timer(0.2, context.release).start()
    assert pipeline.flush(20)
    assert dirty_names(sink) == {"root"}


def test_after_the_limit_roots_go_as_they_are_and_are_counted(
    sink: Sink, open_pipeline: Open, context: SlowContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(late, "LIMIT_S", 0.2)
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Root("first"))
    sink.wait_for("first")
    pipeline.submit(Root("second"))
    assert pipeline.flush(20)
    assert dirty_names(sink) == set()
    assert diagnostics.counts["late_context"] == 2
    context.release()
    deadline_s = time.monotonic() + 20
    while pipeline.late.is_running:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    pipeline.submit(Root("third"))
    assert pipeline.flush(20)
    assert dirty_names(sink) == {"third"}


def test_what_is_known_of_a_waiting_root_goes_after_a_second(
    sink: Sink, open_pipeline: Open, context: SlowContext
) -> None:
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Root("root"))
    sink.wait_for("root")  # as pending: a kill now would leave the trace in progress, not unknown
    assert [span.end_time_ns for span in sink.spans()] == [0]
    context.release()
    assert pipeline.flush(20)
    assert [span.end_time_ns for span in sink.spans()] == [0, 2]
    assert dirty_names(sink) == {"root"}


def test_shutdown_waits_a_moment_and_loses_nothing(
    sink: Sink, open_pipeline: Open, context: SlowContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "CONTEXT_PATIENCE_S", 0.2)
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Item("child"))
    pipeline.submit(Root("root"))
    assert context.begun.wait(20)
    began_s = time.monotonic()
    assert pipeline.shutdown(20)
    assert time.monotonic() - began_s < 10
    assert sink.names() == {"child", "root"}
    assert diagnostics.counts["late_context"] == 1


def test_a_process_that_ends_before_the_context_was_begun_waits_for_it_too(
    sink: Sink, open_pipeline: Open, context: SlowContext
) -> None:
    context.may_end.set()
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Root("root"))
    assert pipeline.shutdown(20)
    assert dirty_names(sink) == {"root"}


def test_roots_go_where_the_destination_was_when_they_ended(
    sink: Sink, open_pipeline: Open, context: SlowContext
) -> None:
    other = Sink()
    try:
        pipeline = open_pipeline(sink.url)
        pipeline.submit(Root("old"))
        assert context.begun.wait(20)
        pipeline.set_destination(parse_destination(other.url))
        pipeline.submit(Root("new"))
        assert not pipeline.flush(0.2)
        context.release()
        assert pipeline.flush(20)
    finally:
        other.close()
    assert (dirty_names(sink), dirty_names(other)) == ({"old"}, {"new"})


@pytest.mark.parametrize("bounds", [{"max_items": 20}, {"max_bytes": 10_000}])
def test_roots_that_take_too_much_room_do_not_wait_any_longer(
    sink: Sink, open_pipeline: Open, context: SlowContext, bounds: dict[str, int]
) -> None:
    pipeline = open_pipeline(sink.url, **bounds)
    expected = {f"root {number}" for number in range(15)}
    for name in sorted(expected):
        pipeline.submit(Root(name))
    sink.wait_for(*expected)
    assert pipeline.flush(20)
    stats = pipeline.stats()
    assert (stats.exported, stats.dropped) == (15, 0)
    assert diagnostics.counts["late_context"] == 15


def test_a_context_that_fails_holds_nothing_back(
    sink: Sink, open_pipeline: Open, context: SlowContext
) -> None:
    context.error = RuntimeError("no git")
    context.release()
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Root("root"))
    assert pipeline.flush(20)
    assert resources(sink)["root"]["commit"] == "c1"
    assert diagnostics.counts["internal_errors"] == 1
    assert context.calls == 1
    pipeline.submit(Root("next"))
    assert pipeline.flush(20)
    assert context.calls == 1


def test_nothing_waits_where_nothing_is_missing(
    sink: Sink, open_pipeline: Open, context: SlowContext
) -> None:
    context.is_done = True
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Root("root"))
    assert pipeline.flush(20)
    assert context.calls == 0
    assert dirty_names(sink) == {"root"}


def outbox_lines(tmp_path: Path) -> list[bytes]:
    return [
        line
        for directory in (tmp_path / "outbox").glob("*")
        for chunk in read_segments(directory)
        for line in chunk.lines
    ]


def test_a_silent_server_does_not_keep_roots_from_the_disk_once_they_are_complete(
    sink: Sink, open_pipeline: Open, context: SlowContext, tmp_path: Path
) -> None:
    sink.gate.clear()
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Item("in flight"))
    pipeline.submit(Root("root"))
    assert context.begun.wait(20)
    context.release()
    deadline_s = time.monotonic() + 20
    while not any(b'"root"' in line for line in outbox_lines(tmp_path)):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    sink.gate.set()
    assert pipeline.flush(20)
    assert dirty_names(sink) == {"root"}


# --- documents --------------------------------------------------------------------------------

DIFF = Document("diff", "d1" * 20, "+ print('äh')\n")


def documents_in(bodies: list[bytes]) -> list[dict[str, str]]:
    found = []
    for body in bodies:
        for group in json.loads(body)["resourceSpans"]:
            attributes = {
                entry["key"]: entry["value"].get("stringValue")
                for entry in group["resource"]["attributes"]
            }
            if "whence.document.kind" in attributes:
                assert group["scopeSpans"] == []
                found.append(attributes)
    return found


SENT = {
    "whence.document.kind": "diff",
    "whence.document.hash": DIFF.hash,
    "whence.document.text": DIFF.text,
}


def test_a_document_is_sent_once_to_each_destination(
    sink: Sink, open_pipeline: Open, context: SlowContext
) -> None:
    context.documents = [DIFF]
    context.release()
    other = Sink()
    try:
        pipeline = open_pipeline(sink.url)
        for number in range(3):
            pipeline.submit(Root(f"root {number}"))
            assert pipeline.flush(20)
        pipeline.invalidate_resource()
        pipeline.submit(Root("after a change of the settings"))
        assert pipeline.flush(20)
        assert documents_in(sink.bodies) == [SENT]
        pipeline.set_destination(parse_destination(other.url))
        pipeline.submit(Root("elsewhere"))
        assert pipeline.flush(20)
    finally:
        other.close()
    assert documents_in(sink.bodies) == documents_in(other.bodies) == [SENT]
    assert pipeline.stats().exported == 5


def test_a_document_waits_in_the_outbox_like_everything_else(
    sink: Sink, open_pipeline: Open, context: SlowContext
) -> None:
    context.documents = [DIFF]
    context.release()
    sink.answers.append(Answer(503))
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Root("root"))
    sink.wait_for("root")
    assert pipeline.flush(20)
    taken = [
        body
        for body, request in zip(sink.bodies, sink.requests, strict=True)
        if request.answer.status == 200
    ]
    assert documents_in(taken) == [SENT]


def test_a_local_store_gets_the_document_in_its_spool(
    tmp_path: Path, open_pipeline: Open, context: SlowContext
) -> None:
    context.documents = [DIFF]
    context.release()
    pipeline = open_pipeline(str(tmp_path / "store"))
    pipeline.submit(Root("root"))
    assert pipeline.flush(20)
    lines = [line for chunk in read_segments(tmp_path / "store" / "spool") for line in chunk.lines]
    assert documents_in(lines) == [SENT]


def test_a_document_that_is_refused_takes_no_span_along(
    sink: Sink, open_pipeline: Open, context: SlowContext
) -> None:
    context.documents = [DIFF]
    context.release()
    sink.answers.append(Answer(400))  # the document's request comes first
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Root("root"))
    assert pipeline.flush(20)
    assert sink.names() == {"root"}
    assert pipeline.stats().dropped == 0
