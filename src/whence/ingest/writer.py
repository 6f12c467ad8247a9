"""Two threads do all writes: one prepares groups of jobs, the other inserts them.

The writer takes every job that waits, applies it to its traces and folds them; while one group is
being inserted the next one gathers, prepared already, so nobody waits for a timer and many small
requests cost a few inserts. A job is answered when its group is durable. Jobs that read the store
themselves (`Job.reads_store`) are prepared when nothing is under way.

A small delivery that comes while a large group is inserted doesn't wait for the next one: where it
concerns no trace of what is under way, and no experiment that is new or to be stored by it, it is
in a group of its own, inserted in the one gap that a large group has (when what is true of it is
stored, and before what is derived), or else after it. Until that is stored, whatever concerns its
traces waits. There is one such group at a time, so that many small deliveries still share their
inserts.

Where anything fails, what is under way is dropped from the memory of traces, and its jobs are
committed again, one group after the other: a group that the engine refuses is tried in halves,
down to the one job at fault; a store that is full or away (UnavailableError) fails it at once.

What is held, from `submit` to the answer, is bounded in bytes and in jobs; beyond, `submit` raises
UnavailableError. A job larger than the bound is taken when nothing else is held.
"""

from __future__ import annotations

import logging
import threading
from collections import ChainMap, deque
from typing import TYPE_CHECKING, Any

from whence.errors import StoreError, UnavailableError, WhenceError
from whence.ingest.group import Group
from whence.ingest.inserter import Batch, Inserter
from whence.store.artifacts import delete_artifacts
from whence.store.headers import delete_headers
from whence.store.spans import delete_spans

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from whence.ingest.clock import Clock
    from whence.ingest.experiments import ExperimentCache
    from whence.ingest.jobs import Job, ResultT
    from whence.ingest.memory import TraceMemory
    from whence.store.connection import Store

MAX_QUEUE_BYTES = 256 << 20
MAX_QUEUE_JOBS = 10_000
MAX_GROUP_BYTES = 64 << 20
MAX_GROUP_JOBS = 2_000
MAX_HURRIED_BYTES = 128 << 10  # of a delivery that needn't wait for
LARGE_GROUP_BYTES = 512 << 10  # some 200 spans
RETRY_AFTER_S = 1.0

_log = logging.getLogger(__name__)


class Writer:
    """The queue and the thread behind an `Ingestor`."""

    def __init__(
        self,
        store: Store,
        memory: TraceMemory,
        clock: Clock,
        experiments: ExperimentCache,
        *,
        default_experiment_id: str,
        environment_aliases: Mapping[str, str] | None = None,
        shared: bool,
        max_queue_bytes: int = MAX_QUEUE_BYTES,
        max_queue_jobs: int = MAX_QUEUE_JOBS,
    ) -> None:
        """Prepare; `start` starts the thread. `shared`: other processes write to the store."""
        self._store = store
        self._memory = memory
        self._clock = clock
        self._experiments = experiments
        self._default_id = default_experiment_id
        self._environment_aliases = environment_aliases
        self._shared = shared
        self._max_queue_bytes = max_queue_bytes
        self._max_queue_jobs = max_queue_jobs
        self._queue: deque[Job[Any]] = deque()
        self._held_bytes = self._held_jobs = 0
        self._news = threading.Condition()
        self._closed = False
        self._listeners: list[Callable[[list[str]], None]] = []
        self._open: Batch | None = None  # prepared, and not yet given to the inserter
        self._hurried: Batch | None = None  # given to the inserter, for its gap
        self._inserter = Inserter(self._insert, self._wake)
        self._thread = threading.Thread(target=self._run, name="whence-writer", daemon=True)

    def start(self) -> None:
        """Begin to take jobs from the queue."""
        self._inserter.start()
        self._thread.start()

    def submit(self, job: Job[ResultT]) -> Future[ResultT]:
        """Queue a job; its future is resolved once its rows are durable."""
        with self._news:
            if self._closed:
                raise UnavailableError("the server is stopping", retry_after_s=RETRY_AFTER_S)
            if self._held_jobs and (
                self._held_bytes + job.size_bytes > self._max_queue_bytes
                or self._held_jobs >= self._max_queue_jobs
            ):
                raise UnavailableError(
                    f"{self._held_jobs} requests with {self._held_bytes >> 20} MiB wait to be "
                    "written; send more slowly, and this one again",
                    retry_after_s=RETRY_AFTER_S,
                )
            self._queue.append(job)
            self._held_bytes += job.size_bytes
            self._held_jobs += 1
            self._news.notify()
        job.future.add_done_callback(lambda _: self._release(job.size_bytes))
        return job.future

    def _release(self, size_bytes: int) -> None:
        with self._news:
            self._held_bytes -= size_bytes
            self._held_jobs -= 1

    def subscribe(self, listener: Callable[[list[str]], None]) -> Callable[[], None]:
        """Call `listener` with the ids of changed traces after every commit; return the off switch.

        It runs in the inserter's thread: it must be quick.
        """
        self._listeners = [*self._listeners, listener]

        def unsubscribe() -> None:
            self._listeners = [one for one in self._listeners if one is not listener]

        return unsubscribe

    def close(self) -> None:
        """Finish what was accepted, and end the thread."""
        with self._news:
            self._closed = True
            self._news.notify()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def commit(self, jobs: list[Job[Any]]) -> None:
        """Apply and insert jobs as one group; resolve every future, whatever happens.

        Nothing else may be under way. For the writer's thread, or before it was started.
        """
        batch = self._new_batch()
        try:
            self._prepare(batch, jobs)
            self._insert(batch, lambda: None)
        except Exception as error:  # noqa: BLE001 - a bug in one job must not stop the writer
            self._recover(_ids_of(jobs))
            if len(jobs) > 1 and not isinstance(error, UnavailableError):
                middle = len(jobs) // 2
                self.commit(jobs[:middle])
                self.commit(jobs[middle:])
                return
            for job in jobs:
                if not job.future.done():
                    job.future.set_exception(_explain(error))
            return
        self._settle(batch)
        self.purge(batch.group.deleted)

    def purge(self, trace_ids: list[str]) -> None:
        """Remove the payloads of deleted traces. The tombstones are durable already."""
        try:
            delete_spans(self._store, trace_ids)
            delete_headers(self._store, trace_ids)
            delete_artifacts(self._store, trace_ids)
        except WhenceError:
            _log.warning("the spans of deleted traces were not removed yet", exc_info=True)

    def _run(self) -> None:
        while self._wait():
            self._settle_hurried(wait=False)
            if self._inserter.is_free:
                self._collect()
                self._give()
            jobs = self._take()
            if any(job.reads_store for job in jobs):
                self._finish_all()
                self.commit(jobs)
            elif jobs:
                self._prepare_ahead(self._hurry(jobs))
        self._finish_all()
        self._inserter.close()

    def _wake(self) -> None:
        with self._news:
            self._news.notify_all()

    def _wait(self) -> bool:
        """Wait for something to do; return False when closed and nothing is left to take."""
        with self._news:
            while not self._has_work() and not (self._closed and not self._queue):
                self._news.wait()
            return bool(self._queue) or not self._closed

    def _has_work(self) -> bool:
        if self._inserter.is_free and (self._open is not None or self._inserter.batch is not None):
            return True
        if self._hurried is not None and self._hurried.done.is_set():
            return True
        return bool(self._queue) and self._fits(*self._measure_open())

    def _measure_open(self) -> tuple[int, int]:
        """Return the jobs and the bytes of the open group."""
        batch = self._open
        return (0, 0) if batch is None else (len(batch.jobs), batch.size_bytes)

    def _fits(self, jobs: int, size_bytes: int) -> bool:
        """Tell whether the first job that waits may join a group of so many jobs and bytes."""
        size_bytes += self._queue[0].size_bytes
        return not jobs or (jobs < MAX_GROUP_JOBS and size_bytes <= MAX_GROUP_BYTES)

    def _take(self) -> list[Job[Any]]:
        """Return jobs that wait, as many as the open group has room for."""
        count, size_bytes = self._measure_open()
        jobs: list[Job[Any]] = []
        with self._news:
            while self._queue and self._fits(count + len(jobs), size_bytes):
                jobs.append(self._queue.popleft())
                size_bytes += jobs[-1].size_bytes
        return [job for job in jobs if job.future.set_running_or_notify_cancel()]

    def _new_batch(self) -> Batch:
        return Batch(
            Group(
                self._memory,
                self._clock,
                self._experiments,
                self._default_id,
                self._environment_aliases,
            )
        )

    def _prepare(self, batch: Batch, jobs: list[Job[Any]]) -> None:
        """Apply jobs to the batch's group, fold their traces, and find what to answer."""
        group, trace_ids = batch.group, _ids_of(jobs)
        batch.trace_ids.update(dict.fromkeys(trace_ids))
        self._memory.load(trace_ids)
        mistakes = [_attempt(job.action.apply, group) for job in jobs]
        group.fold()
        group.encode(self._store)
        batch.outcomes += [
            mistake if mistake is not None else _attempt(job.action.finish, group)
            for job, mistake in zip(jobs, mistakes, strict=True)
        ]
        batch.jobs += jobs
        batch.size_bytes += sum(job.size_bytes for job in jobs)

    def _hurry(self, jobs: list[Job[Any]]) -> list[Job[Any]]:
        """Let small jobs that stand alone be inserted at once; return the others."""
        hurried: list[Job[Any]] = []
        others: list[Job[Any]] = []
        under_way = self._inserter.batch
        is_large = under_way is not None and under_way.size_bytes >= LARGE_GROUP_BYTES
        if not is_large or self._hurried is not None:
            others = jobs
        else:
            for job in jobs:
                (hurried if self._stands_alone(job) else others).append(job)
        if hurried:
            batch = self._new_batch()
            try:
                self._prepare(batch, hurried)
            except Exception:  # noqa: BLE001 - committed again, it tells whose it is
                self._memory.forget(_ids_of(hurried), in_doubt=True)
                self._finish_all()
                self.commit(hurried)
            else:
                self._hurried = batch
                self._inserter.hurry(batch)
        ahead = self._hurried
        if ahead is not None and any(one in ahead.trace_ids for one in _ids_of(others)):
            self._settle_hurried(wait=True)
        return others

    def _stands_alone(self, job: Job[Any]) -> bool:
        """Tell whether a job is small, and depends on nothing under way, nor that on it."""
        if self._shared or job.experiments is None or job.size_bytes > MAX_HURRIED_BYTES:
            return False
        under_way = self._list_under_way()
        return not any(
            one in batch.trace_ids for one in job.trace_ids for batch in under_way
        ) and not any(
            self._experiments.is_news(one, name)
            or any(batch.group.stages_experiment(one) for batch in under_way)
            for one, name in job.experiments.items()
        )

    def _list_under_way(self) -> list[Batch]:
        """Return the groups that are prepared and not known to be stored."""
        groups = (self._open, self._inserter.batch, self._hurried)
        return [batch for batch in groups if batch is not None]

    def _settle_hurried(self, *, wait: bool) -> None:
        """See to the hurried group once it is inserted; commit again what failed.

        It stages no experiments, so what is known of those, also of those under way, stays.
        """
        batch = self._hurried
        if batch is None or not (wait or batch.done.is_set()):
            return
        batch.done.wait()
        self._hurried = None
        if batch.error is None:
            self._settle(batch)
            return
        self._memory.forget(list(batch.trace_ids), in_doubt=True)
        if isinstance(batch.error, UnavailableError):
            _fail(batch.jobs, batch.error)
        else:
            self._finish_all()
            self.commit(batch.jobs)

    def _prepare_ahead(self, jobs: list[Job[Any]]) -> None:
        """Prepare jobs while the inserter works; give them to it when it is free."""
        if not jobs:
            return
        batch = self._open or self._new_batch()
        try:
            self._prepare(batch, jobs)
        except Exception:  # noqa: BLE001 - committed again, one after the other, it tells whose it is
            waiting = [*batch.jobs, *(job for job in jobs if job not in batch.jobs)]
            self._open = None
            self._memory.forget(_ids_of(waiting), in_doubt=False)
            self._collect()
            self._settle_hurried(wait=True)
            self._recover(_ids_of(waiting))
            self.commit(waiting)
            return
        self._open = batch
        if self._inserter.is_free:
            self._collect()
            self._give()

    def _give(self) -> None:
        batch, self._open = self._open, None
        if batch is not None:
            self._inserter.give(batch)

    def _finish_all(self) -> None:
        self._collect()
        self._give()
        self._collect()
        self._settle_hurried(wait=True)

    def _collect(self) -> None:
        """Wait for the inserter's group; where it failed, commit again all that is under way."""
        batch, error = self._inserter.collect()
        if batch is None:
            return
        if error is None:
            self._settle(batch)
            return
        ahead, self._open = self._open, None
        self._recover([*batch.trace_ids, *(ahead.trace_ids if ahead is not None else ())])
        self._settle_hurried(wait=True)
        if isinstance(error, UnavailableError):
            _fail(batch.jobs, error)
        else:
            self.commit(batch.jobs)
        if ahead is not None:
            self.commit(ahead.jobs)

    def _insert(self, batch: Batch, between: Callable[[], None]) -> None:
        """Make a batch durable, and tell everybody; `between` is called once, in its gap."""
        batch.group.insert(self._store, between)
        batch.answer()
        self._announce(batch.group.changed)

    def _settle(self, batch: Batch) -> None:
        """Let the memory know that a batch is stored; what is under way stays as it is."""
        others = [one.trace_ids for one in self._list_under_way() if one is not batch]
        ahead = ChainMap(*others)
        self._memory.settle([state.trace_id for state in batch.group.touched])
        self._memory.shrink(batch.group.grown, keep=ahead)
        if self._shared:
            stored = [trace_id for trace_id in batch.trace_ids if trace_id not in ahead]
            self._memory.forget(stored, in_doubt=False)

    def _recover(self, trace_ids: list[str]) -> None:
        """Forget what the memory says about traces whose rows may be half written."""
        self._memory.forget(trace_ids, in_doubt=True)
        try:
            self._experiments.reload()
        except WhenceError:
            _log.warning("the experiments could not be read back", exc_info=True)

    def _announce(self, trace_ids: list[str]) -> None:
        if not trace_ids:
            return
        for listener in self._listeners:
            try:
                listener(trace_ids)
            except Exception:  # noqa: BLE001, PERF203 - a listener must not stop the writer
                _log.exception("a listener to changed traces failed")


def _ids_of(jobs: list[Job[Any]]) -> list[str]:
    return list(dict.fromkeys(one for job in jobs for one in job.trace_ids))


def _fail(jobs: list[Job[Any]], error: BaseException) -> None:
    for job in jobs:
        if not job.future.done():
            job.future.set_exception(error)


def _attempt(function: Callable[[Group], Any], group: Group) -> Any:
    """Return what the function returns, or the mistake that it names."""
    try:
        return function(group)
    except StoreError:
        raise
    except UnavailableError:
        raise
    except WhenceError as mistake:
        return mistake


def _explain(error: Exception) -> WhenceError:
    if isinstance(error, WhenceError):
        return error
    explained = StoreError(f"the rows could not be written: {type(error).__name__}: {error}")
    explained.__cause__ = error
    return explained
