"""Spans on their way to a server: batched, retried, split, counted."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from otlp_sink import Answer, Item, Sink
from whence.sdk import diagnostics
from whence.sdk.delivery.destination import parse_destination
from whence.sdk.delivery.pipeline import Pipeline

Open = Callable[..., Pipeline]


@pytest.fixture
def open_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Make pipelines whose outbox is the test's own."""
    monkeypatch.setenv("WHENCE_SPOOL", str(tmp_path / "outbox"))
    diagnostics.reset()
    opened: list[Pipeline] = []

    def make(url: str, **settings: object) -> Pipeline:
        settings.setdefault("resource_attributes", lambda: {"service.version": "2.1.0"})
        opened.append(Pipeline(destination=parse_destination(url), **settings))
        return opened[-1]

    yield make
    for pipeline in opened:
        pipeline.shutdown(0.2)


def names(count: int) -> list[str]:
    return [f"span {number}" for number in range(count)]


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def outbox_files(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "outbox").rglob("*.jsonl"))


# --- batches ----------------------------------------------------------------------------------


def test_spans_arrive_with_the_resource_and_the_experiment(sink: Sink, open_pipeline: Open) -> None:
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Item("one", experiment_id="7"))
    assert pipeline.flush(20)
    [request] = sink.requests
    [group] = request.groups
    assert request.path == "/v1/traces"
    assert request.headers["content-type"] == "application/json"
    assert group.resource.attributes == {
        "service.version": "2.1.0",
        "mlflow.experimentId": "7",
        "whence.experiment.name": "Default",
    }
    assert [span.name for span in group.spans] == ["one"]


def test_a_path_prefix_of_the_server_is_kept(sink: Sink, open_pipeline: Open) -> None:
    pipeline = open_pipeline(f"{sink.url}/team/whence/")
    pipeline.submit(Item("one"))
    assert pipeline.flush(20)
    assert sink.requests[0].path == "/team/whence/v1/traces"


def test_the_api_key_travels_as_a_bearer_token(
    sink: Sink, open_pipeline: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHENCE_API_KEY", "secret")
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Item("one"))
    assert pipeline.flush(20)
    assert sink.requests[0].headers["authorization"] == "Bearer secret"


def test_each_experiment_has_its_own_group(sink: Sink, open_pipeline: Open) -> None:
    pipeline = open_pipeline(sink.url)
    for number in range(6):
        pipeline.submit(Item(f"span {number}", experiment_id=str(number % 2)))
    assert pipeline.flush(20)
    [request] = sink.requests
    found = {
        group.resource.attributes["mlflow.experimentId"]: len(group.spans)
        for group in request.groups
    }
    assert found == {"0": 3, "1": 3}


def test_the_first_batch_leaves_soon_and_the_next_ones_gather(
    sink: Sink, open_pipeline: Open
) -> None:
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Item("first"))
    sink.wait_for("first")  # without a flush
    for name in names(20):
        pipeline.submit(Item(name))
        time.sleep(0.005)
    sink.wait_for(*names(20))
    assert len(sink.requests) <= 3


def test_one_connection_carries_many_requests(sink: Sink, open_pipeline: Open) -> None:
    connections = set()
    take = sink.take
    sink.take = lambda handler: (connections.add(handler.client_address), take(handler))[1]
    pipeline = open_pipeline(sink.url)
    for name in names(5):
        pipeline.submit(Item(name))
        assert pipeline.flush(20)
    assert len(sink.requests) == 5
    assert len(connections) == 1


def test_a_connection_that_the_server_closed_is_opened_anew(open_pipeline: Open) -> None:
    sink = Sink(idle_s=0.1)
    try:
        pipeline = open_pipeline(sink.url)
        for name in ("one", "two"):
            pipeline.submit(Item(name))
            assert pipeline.flush(20)
            assert sink.closed.acquire(timeout=20)
    finally:
        sink.close()
    assert sink.names() == {"one", "two"}
    assert pipeline.stats().retried == 0


def test_open_roots_are_sent_as_pending_without_any_ended_span(
    sink: Sink, open_pipeline: Open
) -> None:
    open_roots = [Item("still open", end_time_ns=0)]
    pipeline = open_pipeline(sink.url, collect_pending=lambda: open_roots)
    sink.wait_for("still open")
    assert sink.spans()[0].end_time_ns == 0
    assert pipeline.stats().exported == 0


def test_a_large_batch_leaves_as_several_bodies(sink: Sink, open_pipeline: Open) -> None:
    pipeline = open_pipeline(sink.url)
    for name in names(12):
        pipeline.submit(Item(name, size=1_000_000))
    assert pipeline.flush(30)
    assert sink.names() == set(names(12))
    assert len(sink.requests) > 2


def test_a_span_that_can_not_be_described_does_not_take_others_along(
    sink: Sink, open_pipeline: Open
) -> None:
    class Broken(Item):
        def to_record(self):
            raise RuntimeError("broken")

    pipeline = open_pipeline(sink.url)
    for item in (Item("before"), Broken("broken"), Item("after")):
        pipeline.submit(item)
    assert pipeline.flush(20)
    assert sink.names() == {"before", "after"}
    assert pipeline.stats().drop_reasons == {"not encodable": 1}


def test_spans_go_where_the_destination_was_when_they_ended(
    sink: Sink, open_pipeline: Open
) -> None:
    other = Sink()
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Item("old"))
    pipeline.set_destination(parse_destination(other.url))
    pipeline.submit(Item("new"))
    assert pipeline.flush(20)
    other.close()
    assert (sink.names(), other.names()) == ({"old"}, {"new"})


# --- trouble ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_server_gets_the_spans_a_little_later(
    sink: Sink, open_pipeline: Open, status: int
) -> None:
    sink.answers.append(Answer(status))
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Item("one"))
    sink.wait_for("one")
    assert pipeline.flush(20)
    stats = pipeline.stats()
    assert (stats.recorded, stats.exported, stats.retried, stats.dropped) == (1, 1, 1, 0)


def retry_after(value: str, sink: Sink, pipeline: Pipeline) -> float:
    """The seconds between the refusal and the next request."""
    sink.answers.append(Answer(503, {"Retry-After": value}))
    pipeline.submit(Item("one"))
    sink.wait_for_requests(1)
    refused_s = time.monotonic()
    pipeline.flush(20)  # does not hurry a server that asked for time
    sink.wait_for("one")
    return time.monotonic() - refused_s


def test_retry_after_in_seconds_is_waited_for(sink: Sink, open_pipeline: Open) -> None:
    assert retry_after("2", sink, open_pipeline(sink.url)) >= 1.9


def test_retry_after_as_a_date_is_waited_for(sink: Sink, open_pipeline: Open) -> None:
    date = formatdate(time.time() + 3, usegmt=True)
    assert retry_after(date, sink, open_pipeline(sink.url)) >= 1.5


def test_while_the_server_is_away_spans_wait_on_disk_and_then_all_arrive(
    open_pipeline: Open, tmp_path: Path
) -> None:
    port = unused_port()
    pipeline = open_pipeline(f"http://127.0.0.1:{port}")
    for name in names(300):
        pipeline.submit(Item(name))
    assert not pipeline.flush(20)
    assert outbox_files(tmp_path)
    stats = pipeline.stats()
    assert (stats.spooled, stats.exported, stats.queued, stats.dropped) == (300, 0, 0, 0)
    sink = Sink(port)
    try:
        pipeline.submit(Item("late"))
        sink.wait_for("late", *names(300))
        assert pipeline.flush(20)
    finally:
        sink.close()
    assert len(sink.spans()) == 301
    assert pipeline.stats().exported == 301
    assert outbox_files(tmp_path) == []


def test_the_outbox_is_for_its_owner_only(open_pipeline: Open, tmp_path: Path) -> None:
    pipeline = open_pipeline(f"http://127.0.0.1:{unused_port()}")
    pipeline.submit(Item("private"))
    assert not pipeline.flush(20)
    [segment] = outbox_files(tmp_path)
    assert segment.parent.stat().st_mode & 0o077 == 0


def test_what_a_dead_process_left_is_delivered_by_the_next(open_pipeline: Open) -> None:
    port = unused_port()
    first = open_pipeline(f"http://127.0.0.1:{port}")
    first.submit(Item("left behind"))
    assert not first.shutdown(5)
    sink = Sink(port)
    try:
        second = open_pipeline(f"http://127.0.0.1:{port}")
        second.submit(Item("new"))
        sink.wait_for("left behind", "new")
        second.shutdown()
    finally:
        sink.close()
    assert len(sink.spans()) == 2


def test_without_a_disk_spans_wait_in_memory(open_pipeline: Open, tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file stands in the way")
    port = unused_port()
    pipeline = open_pipeline(f"http://127.0.0.1:{port}")
    for name in names(10):
        pipeline.submit(Item(name))
    assert not pipeline.flush(20)
    sink = Sink(port)
    try:
        sink.wait_for(*names(10))
        assert pipeline.flush(20)
    finally:
        sink.close()
    assert len(sink.spans()) == 10


def test_a_silent_server_lets_spans_reach_the_disk_meanwhile(
    sink: Sink, open_pipeline: Open, tmp_path: Path
) -> None:
    sink.gate.clear()
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Item("in flight"))
    deadline_s = time.monotonic() + 20
    while not outbox_files(tmp_path):
        assert time.monotonic() < deadline_s
        pipeline.submit(Item("behind it"))
        time.sleep(0.02)
    sink.gate.set()
    assert pipeline.flush(20)
    stats = pipeline.stats()
    assert stats.exported == stats.recorded
    assert len(sink.spans()) == stats.recorded  # and not twice
    assert outbox_files(tmp_path) == []


def test_a_batch_that_is_too_large_is_split_until_it_fits(sink: Sink, open_pipeline: Open) -> None:
    sink.max_spans = 3
    pipeline = open_pipeline(sink.url)
    for name in names(20):
        pipeline.submit(Item(name, experiment_id=name[-1]))
    assert pipeline.flush(20)
    assert sink.names() == set(names(20))
    assert (
        max(len(request.groups) for request in sink.requests if request.answer.status == 200) <= 3
    )
    assert pipeline.stats().exported == 20


def test_a_single_span_that_is_too_large_is_dropped_with_its_size(
    sink: Sink, open_pipeline: Open, caplog: pytest.LogCaptureFixture
) -> None:
    sink.max_spans = 0
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Item("huge", size=50_000))
    assert pipeline.flush(20)
    assert pipeline.stats().drop_reasons == {"too large": 1}
    [record] = [record for record in caplog.records if "too large" in record.getMessage()]
    assert "A span of 50" in record.getMessage()


def test_a_refused_batch_is_dropped_counted_and_said(
    sink: Sink, open_pipeline: Open, caplog: pytest.LogCaptureFixture
) -> None:
    body = b'{"error_code":"INVALID_PARAMETER_VALUE","message":"bad span at byte 7"}'
    sink.answers += [Answer(400, {}, body), Answer(400, {}, body)]
    pipeline = open_pipeline(sink.url)
    for name in ("one", "two"):
        pipeline.submit(Item(name))
        assert pipeline.flush(20)
    assert pipeline.stats().drop_reasons == {"refused": 2}
    said = [r.getMessage() for r in caplog.records if "bad span at byte 7" in r.getMessage()]
    assert len(said) == 1  # once a minute


def test_a_wrong_key_loses_nothing(sink: Sink, open_pipeline: Open) -> None:
    sink.answers.append(Answer(401))
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Item("one"))
    assert not pipeline.flush(20)
    while not pipeline.flush(20):  # an explicit flush tries again before the long pause is over
        time.sleep(0.05)
    assert sink.names() == {"one"}
    assert pipeline.stats().dropped == 0


def test_a_redirect_is_not_followed_and_loses_nothing(
    sink: Sink, open_pipeline: Open, caplog: pytest.LogCaptureFixture
) -> None:
    sink.answers.append(Answer(308, {"Location": "https://elsewhere/v1/traces"}))
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Item("one"))
    assert not pipeline.flush(20)
    assert "moved to https://elsewhere/v1/traces" in caplog.text
    assert pipeline.stats().spooled == 1


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel-\N{SNOWMAN}"])
def test_a_key_that_can_not_be_sent_loses_nothing(
    sink: Sink, open_pipeline: Open, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("WHENCE_API_KEY", key)
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Item("one"))
    assert not pipeline.flush(20)
    stats = pipeline.stats()
    assert (stats.spooled, stats.dropped) == (1, 0)


def test_a_host_that_can_not_be_looked_up_loses_nothing(open_pipeline: Open) -> None:
    pipeline = open_pipeline(f"http://{'x' * 70}.invalid")  # a label is too long for DNS
    pipeline.submit(Item("one"))
    assert not pipeline.flush(20)
    assert pipeline.stats().spooled == 1


def test_partial_success_is_counted_and_said(
    sink: Sink, open_pipeline: Open, caplog: pytest.LogCaptureFixture
) -> None:
    body = b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"environment is fixed"}}'
    sink.answers.append(Answer(200, {}, body))
    pipeline = open_pipeline(sink.url)
    for name in ("one", "two"):
        pipeline.submit(Item(name))
    assert pipeline.flush(20)
    stats = pipeline.stats()
    assert (stats.exported, stats.drop_reasons) == (1, {"rejected": 1})
    assert "environment is fixed" in caplog.text


# --- bounds -----------------------------------------------------------------------------------


def test_a_full_queue_never_blocks_and_counts_what_it_dropped(
    sink: Sink, open_pipeline: Open
) -> None:
    sink.gate.clear()
    context_asked, go_on = threading.Event(), threading.Event()

    def stuck_context() -> dict[str, str]:
        context_asked.set()
        go_on.wait(30)
        return {}

    pipeline = open_pipeline(sink.url, resource_attributes=stuck_context, max_items=50)
    pipeline.submit(Item("taken"))
    assert context_asked.wait(20)  # the exporter thread is stuck from here on
    for name in names(80):
        pipeline.submit(Item(name))
    assert pipeline.stats().drop_reasons == {"queue full": 30}
    sink.gate.set()
    go_on.set()
    assert pipeline.flush(20)
    stats = pipeline.stats()
    assert stats.recorded == 81
    assert stats.exported + stats.dropped == 81


def test_the_queue_is_bounded_by_its_memory_too(sink: Sink, open_pipeline: Open) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def stuck_context() -> dict[str, str]:
        asked.set()
        go_on.wait(30)
        return {}

    pipeline = open_pipeline(sink.url, resource_attributes=stuck_context, max_bytes=1_000_000)
    pipeline.submit(Item("taken"))
    assert asked.wait(20)
    for name in names(20):
        pipeline.submit(Item(name, size=200_000))
    assert pipeline.stats().drop_reasons == {"queue full": 16}
    go_on.set()
    assert pipeline.flush(20)
    pipeline.submit(Item("after", size=200_000))
    assert pipeline.flush(20)
    assert "after" in sink.names()


def test_many_threads_submit_and_every_span_arrives(sink: Sink, open_pipeline: Open) -> None:
    pipeline = open_pipeline(sink.url)

    def submit(thread: int) -> None:
        for number in range(500):
            pipeline.submit(Item(f"{thread} {number}"))

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pipeline.flush(20)
    assert len(sink.names()) == len(sink.spans()) == 4000
    assert pipeline.stats().exported == pipeline.stats().recorded == 4000


def test_a_span_after_shutdown_still_reaches_the_disk(
    sink: Sink, open_pipeline: Open, tmp_path: Path
) -> None:
    pipeline = open_pipeline(sink.url)
    pipeline.submit(Item("before"))
    assert pipeline.shutdown()
    pipeline.submit(Item("after"))
    assert len(outbox_files(tmp_path)) == 1
    assert pipeline.stats().spooled == 1
