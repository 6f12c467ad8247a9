"""Which of the servers of a store watches: one, and another one when that is gone."""

from __future__ import annotations

import time

import pytest

from whence.store import watchers
from whence.store.watchers import Leadership


def test_a_store_of_one_server_is_its_own_and_nothing_is_written(chdb_store):
    assert Leadership(chdb_store, "watches").holds()
    assert chdb_store.query("SELECT count() FROM watchers").rows[0][0] == 0


@pytest.fixture
def quick(monkeypatch):
    """Let servers be absent at once, and renew with every question."""
    monkeypatch.setattr(watchers, "RENEW_AFTER_S", 0.0)


def test_of_several_servers_the_first_leads_until_it_is_gone(clickhouse_store, quick, monkeypatch):
    first, second, sender = (
        Leadership(clickhouse_store, role) for role in ("watches", "watches", "sends")
    )
    assert second.holds()  # nobody else has been seen
    assert first.holds()
    assert not second.holds()
    assert sender.holds()  # another role
    assert first.holds()
    monkeypatch.setattr(watchers, "ABSENT_AFTER_S", 0.0)
    assert not first.holds()  # not even itself was seen within no time
    monkeypatch.setattr(watchers, "ABSENT_AFTER_S", 0.5)
    time.sleep(0.6)
    assert second.holds()
