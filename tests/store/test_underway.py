"""A store that stands still says where, and nobody waits for it without end."""

from __future__ import annotations

import logging
import threading

import pytest

from whence.errors import UnavailableError
from whence.store import connection, hours
from whence.store.rows import TagRow
from whence.store.underway import Underway

SLEEP = "SELECT sleep(1.5)"


class Lines(logging.Handler):
    """Keeps messages, and lets a test wait for one."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.news = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self.news:
            self.texts.append(record.getMessage())
            self.news.notify_all()

    def wait_for(self, text: str) -> str:
        with self.news:
            assert self.news.wait_for(lambda: any(text in one for one in self.texts), timeout=30)
            return next(one for one in self.texts if text in one)


@pytest.fixture
def log():
    """What `whence.store.underway` logs."""
    lines, logger = Lines(), logging.getLogger("whence.store.underway")
    logger.addHandler(lines)
    yield lines
    logger.removeHandler(lines)


@pytest.fixture
def busy_writer(chdb_store):
    """A statement that holds the writer for a while."""
    sleeping = threading.Thread(target=chdb_store.command, args=(SLEEP,))
    sleeping.start()
    while chdb_store._underway.find_oldest_write() is None:
        assert sleeping.is_alive()
    yield
    sleeping.join()


def test_what_takes_long_is_logged_with_what_runs_beside_it_and_once_more_when_it_ends(log):
    underway = Underway(slow_s=0.05)
    with underway.doing("SELECT 1\n  FROM traces"), underway.doing("INSERT INTO spans") as work:
        work.waits_for = "the writer"
        line = log.wait_for("the store is slow")
        log.wait_for("has waited 0 s for the writer")
    underway.close()
    assert "'SELECT 1 FROM traces' of thread MainThread has waited 0 s for the engine; " in line
    log.wait_for("'SELECT 1 FROM traces' ended after 0 s")


def test_what_is_quick_is_not_logged(log):
    underway = Underway(slow_s=60.0)
    with underway.doing("SELECT 1"):
        pass
    underway.close()
    assert log.texts == []


@pytest.mark.usefixtures("busy_writer")
def test_an_insert_waits_for_its_turn_only_so_long_and_says_for_whom(chdb_store, monkeypatch):
    monkeypatch.setattr(connection, "TURN_WAIT_S", 0.1)
    with pytest.raises(UnavailableError, match=r"no inserts now: 'SELECT sleep\(1.5\)' of thread"):
        chdb_store.insert("tags", [TagRow(trace_id="t", key="k")])


@pytest.mark.usefixtures("busy_writer")
def test_a_store_whose_writer_is_stuck_is_not_ready(chdb_store, monkeypatch):
    chdb_store.ready()
    monkeypatch.setattr(connection, "STUCK_S", 0.0)
    with pytest.raises(UnavailableError, match=r"'SELECT sleep\(1.5\)' of thread .* the engine"):
        chdb_store.ready()


def test_changed_hours_wait_for_an_insert_of_traces_only_so_long(chdb_store, monkeypatch):
    monkeypatch.setattr(hours, "GATE_WAIT_S", 0.1)
    with (
        chdb_store.hours.changing(chdb_store, []),
        pytest.raises(UnavailableError, match="another insert of traces"),
    ):
        chdb_store.hours.mark(chdb_store, [])
    chdb_store.hours.mark(chdb_store, [])
