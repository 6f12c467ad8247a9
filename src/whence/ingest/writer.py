"""One thread does all inserts: it takes every job that waits, and commits them as one group.

While one group is being inserted the next one gathers, so nobody waits for a timer and many small
requests cost a few inserts. A group that the engine refuses is tried again in halves, down to the
one job at fault; a store that is full or away (UnavailableError) fails the whole group at once.

The queue is bounded in bytes and in jobs; beyond, `submit` raises UnavailableError. A job larger
than the bound is taken when the queue is empty.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from whence.errors import StoreError, UnavailableError, WhenceError
from whence.ingest.group import Group
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
        self._queued_bytes = 0
        self._news = threading.Condition()
        self._closed = False
        self._listeners: list[Callable[[list[str]], None]] = []
        self._thread = threading.Thread(target=self._run, name="whence-writer", daemon=True)

    def start(self) -> None:
        """Begin to take jobs from the queue."""
        self._thread.start()

    def submit(self, job: Job[ResultT]) -> Future[ResultT]:
        """Queue a job; its future is resolved once its rows are durable."""
        with self._news:
            if self._closed:
                raise UnavailableError("the server is stopping", retry_after_s=RETRY_AFTER_S)
            if self._queue and (
                self._queued_bytes + job.size_bytes > self._max_queue_bytes
                or len(self._queue) >= self._max_queue_jobs
            ):
                raise UnavailableError(
                    f"{len(self._queue)} requests with {self._queued_bytes >> 20} MiB wait to be "
                    "written; send more slowly, and this one again",
                    retry_after_s=RETRY_AFTER_S,
                )
            self._queue.append(job)
            self._queued_bytes += job.size_bytes
            self._news.notify()
        return job.future

    def subscribe(self, listener: Callable[[list[str]], None]) -> Callable[[], None]:
        """Call `listener` with the ids of changed traces after every commit; return the off switch.

        It runs in the writer's thread: it must be quick.
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
        """Apply and insert jobs as one group; resolve every future, whatever happens."""
        trace_ids = list(dict.fromkeys(one for job in jobs for one in job.trace_ids))
        try:
            outcomes, group = self._try(jobs, trace_ids)
        except Exception as error:  # noqa: BLE001 - a bug in one job must not stop the writer
            self._recover(trace_ids)
            if len(jobs) > 1 and not isinstance(error, UnavailableError):
                middle = len(jobs) // 2
                self.commit(jobs[:middle])
                self.commit(jobs[middle:])
                return
            for job in jobs:
                job.future.set_exception(_explain(error))
            return
        self._memory.shrink(group.grown)
        if self._shared:
            self._memory.forget(trace_ids, in_doubt=False)
        for job, outcome in zip(jobs, outcomes, strict=True):
            if isinstance(outcome, WhenceError):
                job.future.set_exception(outcome)
            else:
                job.future.set_result(outcome)
        self._announce(group.changed)
        self.purge(group.deleted)

    def purge(self, trace_ids: list[str]) -> None:
        """Remove the payloads of deleted traces. The tombstones are durable already."""
        try:
            delete_spans(self._store, trace_ids)
            delete_headers(self._store, trace_ids)
        except WhenceError:
            _log.warning("the spans of deleted traces were not removed yet", exc_info=True)

    def _run(self) -> None:
        while jobs := self._take():
            claimed = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            if claimed:
                self.commit(claimed)

    def _take(self) -> list[Job[Any]]:
        """Wait for jobs; return a group of them, or none when closed and empty."""
        with self._news:
            while not self._queue and not self._closed:
                self._news.wait()
            jobs: list[Job[Any]] = []
            size_bytes = 0
            while self._queue and len(jobs) < MAX_GROUP_JOBS:
                size_bytes += self._queue[0].size_bytes
                if jobs and size_bytes > MAX_GROUP_BYTES:
                    break
                job = self._queue.popleft()
                self._queued_bytes -= job.size_bytes
                jobs.append(job)
            return jobs

    def _try(self, jobs: list[Job[Any]], trace_ids: list[str]) -> tuple[list[Any], Group]:
        self._memory.load(trace_ids)
        group = Group(
            self._memory,
            self._clock,
            self._experiments,
            self._default_id,
            self._environment_aliases,
        )
        mistakes = [_attempt(job.action.apply, group) for job in jobs]
        group.fold()
        group.insert(self._store)
        self._memory.settle([state.trace_id for state in group.touched])
        outcomes = [
            mistake if mistake is not None else _attempt(job.action.finish, group)
            for job, mistake in zip(jobs, mistakes, strict=True)
        ]
        return outcomes, group

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
