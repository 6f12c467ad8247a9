"""Spans that go to a local store, and bounds of what waits on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otlp_sink import Item
from whence.otlp.json import decode_request
from whence.otlp.segments import list_segments, read_segments, remove_if_done
from whence.sdk import diagnostics, settings
from whence.sdk.delivery.destination import parse_destination
from whence.sdk.delivery.pipeline import Pipeline

Open = Callable[..., Pipeline]


@pytest.fixture
def open_pipeline() -> Iterator[Open]:
    diagnostics.reset()
    opened: list[Pipeline] = []

    def make(path: Path) -> Pipeline:
        opened.append(Pipeline(dict, destination=parse_destination(path)))
        return opened[-1]

    yield make
    for pipeline in opened:
        pipeline.shutdown(0.2)


def names_in(store: Path) -> list[str]:
    return [
        span.name
        for chunk in read_segments(store / "spool")
        for line in chunk.lines
        for group in decode_request(line)
        for span in group.spans
    ]


def test_a_local_store_gets_segments_and_nothing_else(open_pipeline: Open, tmp_path: Path) -> None:
    pipeline = open_pipeline(tmp_path / "store")
    pipeline.submit(Item("one"))
    assert pipeline.flush(20)
    assert names_in(tmp_path / "store") == ["one"]
    assert {path.name for path in (tmp_path / "store").iterdir()} == {"spool", ".gitignore"}
    assert pipeline.stats().exported == 1


def test_the_segment_is_the_readers_after_shutdown(open_pipeline: Open, tmp_path: Path) -> None:
    pipeline = open_pipeline(tmp_path)
    pipeline.submit(Item("one"))
    assert pipeline.flush(20)
    [segment] = list_segments(tmp_path / "spool")
    segment.with_name(f"{segment.name}.offset").write_text(str(segment.stat().st_size))
    assert not remove_if_done(segment)
    pipeline.shutdown()
    assert remove_if_done(segment)


def test_a_full_spool_keeps_the_old_and_counts_the_new(
    open_pipeline: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHENCE_SPOOL_MAX_BYTES", "5000")
    pipeline = open_pipeline(tmp_path)
    for number in range(4):
        pipeline.submit(Item(f"{number}", size=2000))
        assert pipeline.flush(20)
    assert names_in(tmp_path) == ["0", "1"]
    stats = pipeline.stats()
    assert (stats.exported, stats.drop_reasons) == (2, {"spool full": 2})


def test_a_store_that_can_not_be_written_gets_its_spans_when_it_can(
    open_pipeline: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spool").write_text("a file stands in the way")
    pipeline = open_pipeline(tmp_path)
    pipeline.submit(Item("one"))
    assert not pipeline.flush(20)
    assert pipeline.stats().exported == 0
    assert "wait in memory" in caplog.text
    (tmp_path / "spool").unlink()
    pipeline.submit(Item("two"))
    assert pipeline.flush(20)
    assert sorted(names_in(tmp_path)) == ["one", "two"]
    assert (pipeline.stats().exported, pipeline.stats().spooled) == (2, 1)


def test_a_wrong_setting_is_said_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    diagnostics.reset()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings.current, "url", "databricks")
    pipeline = Pipeline(dict)
    pipeline.submit(Item("one"))
    assert pipeline.shutdown()
    assert names_in(tmp_path / ".whence") == ["one"]
    assert "databricks" in caplog.text
