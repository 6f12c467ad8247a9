"""Groups that are prepared while others are inserted: what happens when an insert fails."""

from __future__ import annotations

import threading

import pytest

from ingest.wire import batch, new_trace_hex, span
from whence.errors import StoreError, UnavailableError
from whence.ingest import writer
from whence.ingest.ingestor import Ingestor
from whence.store.experiments import read_experiments
from whence.store.known import find_positions, read_filter
from whence.store.spans import read_spans
from whence.store.tags import read_tags
from whence.store.traces import read_traces


class Faulty:
    """A store whose next insert into `spans` waits until it is told how to end."""

    def __init__(self, store):
        self._store = store
        self._told = threading.Event()
        self._error = None
        self.reached = threading.Event()
        self.armed = False
        self.fails = []  # what the following inserts into `spans` raise
        self.inserted = []  # table and trace ids of each insert

    def __getattr__(self, name):
        return getattr(self._store, name)

    def insert_encoded(self, table, batches, **given):
        if table == "spans" and self.armed:
            self.armed = False
            self.reached.set()
            assert self._told.wait(30)
            if self._error is not None:
                raise self._error
        elif table == "spans" and self.fails and self.reached.is_set():
            raise self.fails.pop()
        self.inserted.append(
            (table, [one for each in batches for one in each["trace_id"].to_pylist()])
        )
        self._store.insert_encoded(table, batches, **given)

    def go_on(self, error=None):
        self._error = error
        self._told.set()


@pytest.fixture
def faulty(chdb_store):
    return Faulty(chdb_store)


@pytest.fixture
def pair(faulty, experiment_id):
    """Two deliveries of one trace: one in an insert that hangs, one prepared behind it."""
    trace = new_trace_hex()
    with Ingestor(faulty) as ingestor:

        def submit(*spans):
            return ingestor.submit(batch(*spans), experiment_id=experiment_id)

        submit(span(new_trace_hex(), 1)).result(30)
        faulty.armed = True
        first = submit(span(trace, 1, name="root"))
        assert faulty.reached.wait(30)
        second = submit(span(trace, 2, 1))
        yield ingestor, f"tr-{trace}", first, second
        faulty.go_on()


def test_what_waits_behind_an_insert_is_one_trace_with_it(pair, faulty):
    _, trace_id, first, second = pair
    assert not first.done()
    faulty.go_on()
    assert first.result(30).accepted_spans == second.result(30).accepted_spans == 1
    (row,) = read_traces(faulty, [trace_id])
    assert (row.span_count, row.state, row.trace_name) == (2, "OK", "root")


def test_a_refused_insert_is_tried_again_and_nothing_is_lost(pair, faulty):
    _, trace_id, first, second = pair
    faulty.go_on(StoreError("the engine had a bad moment"))
    assert first.result(30).accepted_spans == second.result(30).accepted_spans == 1
    (row,) = read_traces(faulty, [trace_id])
    assert (row.span_count, row.state) == (2, "OK")
    assert {one.span_id for one in read_spans(faulty, [trace_id])} == {"0" * 15 + n for n in "12"}


def test_what_could_not_be_stored_leaves_no_trace_in_what_came_behind_it(pair, faulty):
    _, trace_id, first, second = pair
    faulty.go_on(UnavailableError("the disk is full", retry_after_s=1))
    with pytest.raises(UnavailableError):
        first.result(30)
    assert second.result(30).accepted_spans == 1
    (row,) = read_traces(faulty, [trace_id])
    assert (row.span_count, row.state) == (1, "IN_PROGRESS")
    assert [one.span_id for one in read_spans(faulty, [trace_id])] == ["0" * 15 + "2"]


def test_an_edit_sees_what_was_under_way_before_it(pair, faulty):
    ingestor, trace_id, first, _ = pair
    threading.Timer(0.05, faulty.go_on).start()
    ingestor.set_tags(trace_id, {"mood": "good"})
    assert first.done()
    assert [row.value for row in read_tags(faulty, [trace_id])] == ["good"]


def test_closing_finishes_what_is_under_way(pair, faulty):
    ingestor, trace_id, first, second = pair
    threading.Timer(0.05, faulty.go_on).start()
    ingestor.close()
    assert first.done() and second.done()
    assert read_traces(faulty, [trace_id])[0].span_count == 2


def test_a_stored_trace_is_known_after_a_restart(own_ingestor, chdb_store, experiment_id):
    trace = new_trace_hex()
    first = own_ingestor()
    first.submit(batch(span(trace, 1)), experiment_id=experiment_id).result(30)
    first.close()
    again = own_ingestor()
    again.wait_until_known()
    again.submit(batch(span(trace, 2, 1)), experiment_id=experiment_id).result(30)
    (row,) = read_traces(chdb_store, [f"tr-{trace}"])
    assert row.span_count == 2


def test_the_filter_of_known_traces_misses_none_and_names_few_others(
    ingestor, store, experiment_id
):
    traces = [new_trace_hex() for _ in range(50)]
    spans = [span(trace, 1) for trace in traces]
    ingestor.submit(batch(*spans), experiment_id=experiment_id).result(30)
    bits = 1 << 20
    read = read_filter(store, bits)
    assert len(read) == bits // 8

    def may_be_stored(trace_id):
        return all(read[at >> 3] >> (at & 7) & 1 for at in find_positions(trace_id, bits))

    assert all(may_be_stored(f"tr-{trace}") for trace in traces)
    assert sum(may_be_stored(f"tr-{new_trace_hex()}") for _ in range(1000)) < 50


def test_a_job_that_the_open_group_has_no_room_for_is_waited_for_without_looking_again(
    faulty, experiment_id, monkeypatch
):
    monkeypatch.setattr(writer, "MAX_GROUP_BYTES", 40_000)
    looks = []
    monkeypatch.setattr(
        writer.Writer, "_take", lambda self, take=writer.Writer._take: looks.append(1) or take(self)
    )
    with Ingestor(faulty) as ingestor:
        submit = [span(new_trace_hex(), 1, name="x" * 30_000) for _ in range(3)]
        faulty.armed = True
        jobs = [ingestor.submit(batch(submit[0]), experiment_id=experiment_id)]
        assert faulty.reached.wait(30)
        jobs += [ingestor.submit(batch(one), experiment_id=experiment_id) for one in submit[1:]]
        threading.Event().wait(0.3)  # long enough to look a thousand times
        assert len(looks) < 20
        faulty.go_on()
        assert [job.result(30).accepted_spans for job in jobs] == [1, 1, 1]


class Crossing:
    """A small delivery that comes while a large one is being inserted, which hangs until told."""

    def __init__(self, faulty, ingestor, experiment_id, small_experiment_id=None):
        self._faulty, self._ingestor, self._experiment_id = faulty, ingestor, experiment_id
        self.inserted = faulty.inserted = []
        self.large_trace, self.small_trace = new_trace_hex(), new_trace_hex()
        self.submit(span(new_trace_hex(), 1)).result(30)  # the experiment is known
        self.inserted.clear()
        faulty.armed = True
        self.large = self.submit(span(self.large_trace, 1))
        assert faulty.reached.wait(30)
        self.small = self.submit(
            span(self.small_trace, 1), experiment_id=small_experiment_id or experiment_id
        )
        while self.find_small() is None:
            threading.Event().wait(0.01)

    def submit(self, *spans, experiment_id=None):
        given = experiment_id or self._experiment_id
        return self._ingestor.submit(batch(*spans), experiment_id=given)

    def find_small(self):
        """Return what the small delivery became: a group in a hurry, or one that waits."""
        writer = self._ingestor._writer
        return "hurried" if writer._hurried else "open" if writer._open else None

    def counts(self, store):
        ids = [f"tr-{self.large_trace}", f"tr-{self.small_trace}"]
        rows = {row.trace_id: row.span_count for row in read_traces(store, ids)}
        return [rows.get(trace_id) for trace_id in ids]


@pytest.fixture
def crossing(faulty, experiment_id, monkeypatch):
    monkeypatch.setattr(writer, "LARGE_GROUP_BYTES", 0)
    with Ingestor(faulty) as ingestor:
        yield Crossing(faulty, ingestor, experiment_id)


def test_a_small_delivery_is_inserted_in_the_gap_of_a_large_one(crossing, faulty, chdb_store):
    faulty.go_on()
    assert [one.result(30).accepted_spans for one in (crossing.large, crossing.small)] == [1, 1]
    large, small = f"tr-{crossing.large_trace}", f"tr-{crossing.small_trace}"
    order = [(table, trace_id) for table, ids in crossing.inserted for trace_id in ids]
    assert order == [("spans", large), ("spans", small), ("traces", small), ("traces", large)]
    assert crossing.counts(chdb_store) == [1, 1]


def test_what_concerns_a_hurried_trace_waits_for_it(crossing, faulty, chdb_store):
    late = [crossing.submit(span(crossing.small_trace, number, 1)) for number in (2, 3)]
    other = crossing.submit(span(crossing.large_trace, 2, 1))
    faulty.go_on()
    assert all(one.result(30).accepted_spans == 1 for one in (*late, other, crossing.small))
    assert crossing.counts(chdb_store) == [2, 3]


def test_a_small_delivery_does_not_fail_with_the_large_one(crossing, faulty, chdb_store):
    faulty.go_on(UnavailableError("the disk is full"))
    with pytest.raises(UnavailableError):
        crossing.large.result(30)
    assert crossing.small.result(30).accepted_spans == 1
    assert crossing.counts(chdb_store) == [None, 1]
    crossing.submit(span(crossing.large_trace, 1)).result(30)
    assert crossing.counts(chdb_store) == [1, 1]


def test_a_small_delivery_that_fails_is_tried_again_alone(crossing, faulty, chdb_store):
    faulty.fails = [StoreError("broken")]
    late = crossing.submit(span(crossing.small_trace, 2, 1))
    faulty.go_on()
    for one in (crossing.large, crossing.small, late):
        assert one.result(30).accepted_spans == 1
    assert faulty.fails == []
    assert crossing.counts(chdb_store) == [1, 2]


def test_a_small_delivery_for_which_there_is_no_room_says_so(crossing, faulty, chdb_store):
    faulty.fails = [UnavailableError("the disk is full")]
    faulty.go_on()
    with pytest.raises(UnavailableError):
        crossing.small.result(30)
    assert crossing.large.result(30).accepted_spans == 1
    crossing.submit(span(crossing.small_trace, 2)).result(30)
    assert crossing.counts(chdb_store) == [1, 1]


def test_a_small_delivery_to_a_new_experiment_waits_for_its_turn(
    faulty, experiment_id, monkeypatch, chdb_store
):
    monkeypatch.setattr(writer, "LARGE_GROUP_BYTES", 0)
    new_id = f"{experiment_id}1"
    with Ingestor(faulty) as ingestor:
        crossing = Crossing(faulty, ingestor, experiment_id, new_id)
        assert crossing.find_small() == "open"
        # Known by now, and not stored: what names it waits too.
        late = crossing.submit(span(late_trace := new_trace_hex(), 1), experiment_id=new_id)
        while ingestor._writer._queue:
            threading.Event().wait(0.01)
        threading.Event().wait(0.1)
        assert ingestor._writer._hurried is None
        faulty.go_on()
        assert [one.result(30).accepted_spans for one in (crossing.small, late)] == [1, 1]
    large, small = f"tr-{crossing.large_trace}", f"tr-{crossing.small_trace}"
    order = [(table, trace_id) for table, ids in crossing.inserted for trace_id in ids]
    assert order.index(("traces", large)) < order.index(("spans", small))
    assert order.index(("traces", large)) < order.index(("spans", f"tr-{late_trace}"))


def test_a_small_delivery_that_fails_makes_nobody_forget_the_experiments_under_way(
    crossing, faulty, experiment_id, chdb_store
):
    new_id = f"{experiment_id}2"
    said = {"mlflow__experimentId": new_id, "whence__experiment__name": "the name"}
    named = crossing._ingestor.submit(batch(span(new_trace_hex(), 1), **said))
    while crossing._ingestor._writer._open is None:
        threading.Event().wait(0.01)
    assert crossing.find_small() == "hurried"
    faulty.fails = [StoreError("broken")]
    faulty.go_on()
    assert named.result(30).accepted_spans == crossing.small.result(30).accepted_spans == 1
    crossing.submit(span(new_trace_hex(), 1), experiment_id=new_id).result(30)
    names = {row.experiment_id: row.name for row in read_experiments(chdb_store)}
    assert names[new_id] == "the name"
