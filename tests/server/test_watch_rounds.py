"""The watch of a store's versions from release to release, its clock and traffic given by the test."""

from __future__ import annotations

import random
import threading

import pytest
from tests.query.rows import trace, trace_row

from webhook_receiver import receiving
from whence.analysis.watch_window import ALL, BESIDE, WEEKS
from whence.query.findings import list_findings, mark_finding, read_finding
from whence.server.outbox import Outbox
from whence.server.watch_records import read_progress, watch_id_of
from whence.server.watch_rounds import Rounds
from whence.store.watchers import Leadership
from whence.store.webhooks import WebhookRow, remove_webhook, write_webhook

START_MS = 1_790_000_000_000  # a Monday, 14:13 UTC
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


class Shop:
    """An experiment with versions whose traffic and time are given."""

    def __init__(self, store, experiment_id, outbox):
        self.store, self.experiment_id = store, experiment_id
        self.now_ms, self.count = START_MS, 0
        self.draw = random.Random(7)
        self.rounds = Rounds(
            store,
            outbox,
            threading.Event(),
            query_seconds=30,
            rest=lambda _: None,
            clock=lambda: self.now_ms,
        )

    def run(self, *versions, hours=1.0, **traffic):
        """Let versions run side by side for some hours, then look; (name, traces) are given."""
        rows = []
        for version, count in versions:
            rows += [
                self._trace(version, number / count * hours, **traffic) for number in range(count)
            ]
        self.store.insert("traces", rows)
        self.now_ms += int(hours * HOUR_MS)
        self.look()

    def _trace(self, version, hour, *, slower=1.0, failing=0.0):
        self.count += 1
        plain = trace(
            f"tr-{self.experiment_id}-{self.count}",
            request_time_ms=self.now_ms + int(hour * HOUR_MS),
            duration_ns=int(self.draw.lognormvariate(4, 0.3) * slower * 1e6),
            name="chat",
            state="ERROR" if self.draw.random() < failing else "OK",
        )
        return trace_row(plain, self.experiment_id, app_version=version, environment="production")

    def look(self):
        self.rounds.watch_experiment(self.experiment_id)

    def pause(self, ms):
        """Let time pass, and sweep."""
        self.now_ms += ms
        self.rounds.sweep()

    @property
    def found(self):
        """The findings by their version."""
        found = list_findings(self.store, experiment_ids=[self.experiment_id]).findings
        return {one.candidate: read_finding(self.store, one.finding_id) for one in found}

    def progress(self, version):
        place = (self.experiment_id, "production", "app_version", version)
        return read_progress(self.store, watch_id_of(*place))


@pytest.fixture
def receiver(chdb_store):
    with receiving() as receiver:
        row = WebhookRow(
            webhook_id="wh-rounds",
            url=receiver.url,
            form="slack",
            environment=None,
            secret="whsec_c2VjcmV0IG9mIG91cnMsIGxvbmcgZW5vdWdo",
            created_ms=1,
        )
        write_webhook(chdb_store, row)
        yield receiver
        remove_webhook(chdb_store, row)


@pytest.fixture
def outbox(chdb_store):
    leadership = Leadership(chdb_store, "sender")
    with Outbox(chdb_store, leadership, private=True, public_url=None) as outbox:
        yield outbox


@pytest.fixture
def shop(chdb_store, experiment_id, outbox):
    return Shop(chdb_store, experiment_id, outbox)


def test_a_regression_that_the_next_version_carries_on_stays_and_one_that_it_mends_is_gone(
    shop, receiver
):
    shop.run(("1.0.0", 300))
    shop.run(("1.1.0", 150), slower=1.8, failing=0.4)
    first = shop.found["1.1.0"]
    assert {"duration", "error_rate"} <= {one.metric for one in first.metrics}
    assert (first.state, first.baseline, len(shop.found)) == ("open", "1.0.0", 1)
    shop.run(("1.1.1", 150), slower=1.8, failing=0.4)
    second = shop.found["1.1.1"]
    assert (second.state, second.baseline) == ("open", "1.0.0")
    assert "not with 1.1.0, which is worse itself" in second.evidence.notes[0]
    shop.pause(0)
    ended = shop.found["1.1.0"]
    assert (ended.state, ended.resolved_by) == ("ended", None)
    assert ended.resolved_reason.startswith("1.1.1, which replaced it, is worse in ")
    shop.run(("1.1.2", 400))
    assert shop.found.keys() == {"1.1.0", "1.1.1"}
    shop.pause(0)
    mended = shop.found["1.1.1"]
    assert (mended.state, mended.resolved_by) == ("resolved", "1.1.2")
    assert mended.resolved_reason.startswith("1.1.2, which replaced it, against 1.0.0: ")
    assert shop.found["1.1.0"].state == "ended"
    received = receiver.wait(lambda received: len(received) >= 4)
    titles = [one.json["text"].split("\n")[0] for one in received]
    assert [one.split(":")[1] for one in titles] == [
        "red_circle",
        "red_circle",
        "white_circle",
        "white_check_mark",
    ]
    assert "*1.1.0* (production) has no more traffic; it was not seen to get better" in titles[2]
    assert "The regression of *1.1.1* (production) is gone" in titles[3]
    assert not any("no longer worse" in one.json["text"] for one in received)


def test_traffic_that_ends_is_no_proof_and_traffic_that_is_back_shows_it_again(shop):
    shop.run(("1.0.0", 300))
    shop.run(("1.1.0", 120), slower=1.8)
    shop.pause(3 * DAY_MS)
    assert shop.found["1.1.0"].state == "open"
    shop.pause(2 * DAY_MS)
    ended = shop.found["1.1.0"]
    assert (ended.state, ended.resolved_reason) == ("ended", "no traffic for four days")
    assert list_findings(shop.store, experiment_ids=[shop.experiment_id], state="open").total == 0
    shop.run(("1.1.0", 200), slower=1.8)
    back = shop.found["1.1.0"]
    assert (back.state, back.reopened) == ("open", 1)
    shop.run(("1.0.0", 100))
    shop.pause(0)
    back = shop.found["1.1.0"]
    assert back.state == "ended"
    assert "1.0.0, which it was compared with, runs again" in back.resolved_reason


def test_a_baseline_that_turns_out_to_be_worse_is_left(shop):
    shop.run(("1.0.0", 100))
    shop.run(("1.1.0", 32), slower=1.8)
    shop.run(("1.1.1", 32), slower=1.8)
    assert shop.progress("1.1.1").baseline.text == "1.1.0"
    assert shop.found == {}
    shop.run(("1.1.0", 80), slower=1.8)
    shop.run(("1.1.1", 80), slower=1.8)
    assert shop.progress("1.1.1").baseline.text == "1.0.0"
    assert shop.progress("1.1.1").main.number == 2
    assert {one.state for one in shop.found.values()} == {"open"}
    assert shop.found.keys() == {"1.1.0", "1.1.1"}


def test_what_people_accept_is_a_baseline(shop):
    shop.run(("1.0.0", 300))
    shop.run(("1.1.0", 150), slower=1.8)
    mark_finding(shop.store, shop.found["1.1.0"].finding_id, muted=True)
    shop.run(("1.1.1", 150), slower=1.8)
    assert shop.progress("1.1.1").baseline.text == "1.1.0"
    assert shop.found.keys() == {"1.1.0"}


def test_versions_with_findings_are_watched_however_old_and_many(shop):
    shop.run(("1.0.0", 300))
    shop.run(("1.1.0", 80), slower=1.8)
    looks = shop.found["1.1.0"].looks
    for minor in range(2, 9):
        shop.now_ms += 2 * DAY_MS
        shop.run((f"1.{minor}.0", 30), ("1.1.0", 30))
    assert shop.now_ms - START_MS > 14 * DAY_MS
    shop.run(("1.1.0", 120))
    found = shop.found["1.1.0"]
    assert found.state == "resolved" or found.looks > looks
    assert found.resolved_by is None


def test_a_rolling_update_falls_back_to_what_the_old_version_did_before(shop):
    shop.run(("1.0.0", 600), hours=24.0)
    shop.run(("1.0.0", 60), ("1.1.0", 60))
    assert shop.progress("1.1.0").main.against == BESIDE
    shop.run(("1.1.0", 240), hours=4.0)
    progress = shop.progress("1.1.0")
    assert progress.main.against == WEEKS
    assert min(one.n_baseline for one in progress.seen.values() if one.guard) > 60


def test_a_baseline_that_slept_for_weeks_counts_with_all_it_did(shop):
    shop.run(("1.0.0", 300))
    shop.now_ms += 30 * DAY_MS
    shop.run(("1.1.0", 60))
    assert shop.progress("1.1.0").main.against == ALL


def test_another_kind_of_metric_is_told_once_and_of_the_same_kind_never(shop, receiver):
    shop.run(("1.0.0", 300))
    shop.run(("1.1.0", 60), slower=1.8)
    assert [one.kind for one in shop.found["1.1.0"].history] == ["opened"]
    for _ in range(5):
        shop.run(("1.1.0", 200), slower=1.8, failing=0.5)
    found = shop.found["1.1.0"]
    kinds = [one.kind for one in found.history]
    assert (kinds[0], kinds.count("worsened")) == ("opened", 1)
    assert {"duration", "duration_p95", "error_rate"} <= {one.metric for one in found.metrics}
    received = receiver.wait(lambda received: len(received) >= 2)
    assert "is worse in more than before" in received[1].json["text"]
    assert len(received) == 2


def test_load_that_swings_with_the_hour_is_no_regression(shop):
    """Three times slower by day: a version of the day against one of day and night."""
    for _ in range(2):
        for busy in (3.0, 1.0):
            shop.run(("1.0.0", 480), hours=12.0, slower=busy)
    shop.run(("1.1.0", 240), hours=6.0, slower=3.0)
    assert shop.progress("1.1.0").main.look >= 4
    assert shop.found == {}
    shop.run(("1.1.0", 480), hours=12.0, slower=6.0)
    assert "hour of the day is matched" in shop.found["1.1.0"].evidence.notes[0]
