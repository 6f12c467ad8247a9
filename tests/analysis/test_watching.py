"""The watch of a version: found once, gone when it is gone, back when it comes back."""

from __future__ import annotations

import random

import msgspec
import pytest
from tests.query.rows import trace, trace_row

from whence.analysis.watch_progress import Name, Progress, Target
from whence.analysis.watching import Watch
from whence.query.arms import Scope

START_MS = 1_790_000_000_000
HOUR_MS = 3_600_000


class Rollout:
    """Traffic of two versions in one experiment, and the watch of the second."""

    def __init__(self, store, experiment_id):
        self.store, self.experiment_id = store, experiment_id
        self.draw = random.Random(7)
        self.now_ms, self.count = START_MS, 0
        self.progress = Progress(baseline=Name("app_version", "1.0.0"))
        self.add("1.0.0", 300)
        self.count = 0

    def add(self, version, count, *, slower=1.0):
        """Record traces of the hour that comes."""
        rows = []
        for number in range(count):
            self.count += 1
            plain = trace(
                f"tr-{self.experiment_id}-{version}-{self.count}",
                request_time_ms=self.now_ms + number * HOUR_MS // count,
                duration_ns=int(self.draw.lognormvariate(4, 0.3) * slower * 1e6),
                name="chat",
            )
            given = {"app_version": version, "environment": "production"}
            rows.append(trace_row(plain, self.experiment_id, **given))
        self.store.insert("traces", rows)
        self.now_ms += HOUR_MS

    def look(self):
        """Look where that is due, as after a restart; return what was seen."""
        target = Target(
            experiment_id=self.experiment_id,
            environment="production",
            candidate=Name("app_version", "1.1.0"),
            traces=self.count,
            first_seen_ms=START_MS + HOUR_MS,
            last_seen_ms=self.now_ms,
        )
        scope = Scope(environment="production", experiment_ids=(self.experiment_id,))
        kept = msgspec.json.decode(msgspec.json.encode(self.progress), type=Progress)
        watch = Watch(self.store, scope, target, kept, self.now_ms)
        if not watch.is_due:
            return []
        self.progress, events = watch.look()
        return events

    def run(self, parts, count, **traffic):
        """Let traffic of the candidate arrive in parts; return what was seen, in order."""
        seen = []
        for _ in range(parts):
            self.add("1.1.0", count, **traffic)
            seen += self.look()
        return seen


@pytest.fixture
def rollout(chdb_store, experiment_id):
    return Rollout(chdb_store, experiment_id)


def kinds(events):
    return [one.kind for one in events]


def test_the_same_code_is_looked_at_and_nothing_is_found(rollout):
    assert rollout.run(8, 60) == []
    assert rollout.progress.main.look >= 5
    assert 3 <= rollout.progress.steps <= 8


def test_nothing_is_due_before_more_traffic(rollout):
    rollout.run(1, 60)
    steps = rollout.progress.steps
    assert steps == 1 and rollout.look() == [] and rollout.progress.steps == steps
    rollout.run(1, 5)
    assert rollout.progress.steps == steps


def test_a_regression_is_opened_once_with_its_evidence(rollout):
    seen = rollout.run(6, 50, slower=1.6)
    assert kinds(seen)[0] == "opened"
    assert set(kinds(seen)[1:]) <= {"seen"}
    first = seen[0]
    assert {one.metric for one in first.metrics} <= {"duration", "duration_p95"}
    assert all(one.verdict == "regressed" and one.low > 0.1 for one in first.metrics)
    assert first.evidence.candidate.asked == "1.1.0"
    assert first.evidence.exemplars
    assert first.summary.startswith("1.1.0 against 1.0.0 in production: duration")
    assert all(one.evidence is None for one in seen if one.kind == "seen")


def test_it_is_resolved_when_it_is_gone_and_reopened_when_it_is_back(rollout):
    assert "opened" in kinds(rollout.run(3, 60, slower=1.8))
    gone = rollout.run(6, 60)
    assert kinds(gone)[-1] == "resolved"
    (resolved,) = (one for one in gone if one.kind == "resolved")
    assert "smaller change than was found" in resolved.reason
    assert not rollout.progress.metrics["duration"].open
    rollout.now_ms += 24 * HOUR_MS
    assert kinds(rollout.run(2, 60)) == []
    back = rollout.run(5, 60, slower=1.8)
    again = back[0]
    assert (again.kind, again.episode) == ("reopened", 2)
    assert again.evidence is not None


def test_it_stays_open_as_long_as_new_traffic_shows_it(rollout):
    seen = rollout.run(12, 60, slower=1.8)
    assert kinds(seen).count("opened") == 1
    assert "resolved" not in kinds(seen)
    assert any("since the last check" in one.reason for one in seen)
