"""While the engine does not answer, requests end with a 503 that says so."""

from __future__ import annotations

import asyncio
import threading

import pytest

from otlp_requests import body, new_trace_id, span
from whence.errors import UnavailableError
from whence.ingest import writer
from whence.ingest.ingestor import Ingestor
from whence.ingest.prepare import Envelope
from whence.ingest.rollups import Roller
from whence.server import services as services_module
from whence.server.services import Services
from whence.server.settings import load_settings
from whence.store import connection
from whence.store.hours import ChangedHours


@pytest.fixture
def services(chdb_store, tmp_path):
    before = chdb_store.hours  # other tests of this process write rows that no roller hears of
    chdb_store.hours = ChangedHours(shared=before.shared)
    with Ingestor(chdb_store) as ingestor, Roller(chdb_store) as roller:
        settings = load_settings(store=str(tmp_path), decoders=0)
        yield Services(settings, chdb_store, ingestor, None, roller)
    chdb_store.hours = before


@pytest.fixture
def stuck(chdb_store, services):  # which writes at its start
    """A statement that holds the writer for a while."""
    sleeping = threading.Thread(target=chdb_store.command, args=("SELECT sleep(2)",))
    sleeping.start()
    while chdb_store._underway.find_oldest_write() is None:
        assert sleeping.is_alive()
    yield
    sleeping.join()


@pytest.mark.usefixtures("stuck")
def test_spans_that_do_not_get_to_the_disk_are_refused_in_the_end(services, monkeypatch):
    monkeypatch.setattr(services_module, "DURABLE_WAIT_S", 0.2)
    content = body(span(new_trace_id(), f"{1:016x}"))
    with pytest.raises(UnavailableError, match="not on the disk within 0 s; .* send them again"):
        asyncio.run(services.store_body(content, Envelope()))


@pytest.mark.usefixtures("stuck")
def test_a_server_whose_store_is_stuck_says_that_it_is_not_ready(services, monkeypatch):
    monkeypatch.setattr(connection, "STUCK_S", 0.0)
    reason = asyncio.run(services.why_not_ready())
    assert "the store takes no inserts now: 'SELECT sleep(2)'" in reason


@pytest.mark.usefixtures("stuck")
def test_what_nobody_waits_for_any_more_counts_until_it_is_stored(services, monkeypatch):
    monkeypatch.setattr(services_module, "DURABLE_WAIT_S", 0.2)
    monkeypatch.setattr(writer, "MAX_GROUP_JOBS", 1)  # one is inserted, one prepared, two wait
    queue = services.ingestor._writer

    async def send():
        contents = [body(span(new_trace_id(), f"{1:016x}")) for _ in range(4)]
        sent = (services.store_body(content, Envelope()) for content in contents)
        return await asyncio.gather(*sent, return_exceptions=True)

    assert [type(one) for one in asyncio.run(send())] == [UnavailableError] * 4
    assert (queue._held_jobs, len(queue._queue)) == (4, 2)
    services.ingestor.close()
    assert (queue._held_jobs, queue._held_bytes) == (0, 0)


def test_a_store_that_does_not_answer_makes_no_health_check_wait_for_ever(services, monkeypatch):
    monkeypatch.setattr(services_module, "READY_WAIT_S", 0.1)
    answered = threading.Event()
    monkeypatch.setattr(services.store, "ready", lambda: answered.wait(30))
    try:
        for _ in range(2):
            assert "did not answer within 0 s" in asyncio.run(services.why_not_ready())
    finally:
        answered.set()
