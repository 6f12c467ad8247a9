"""The door to the store for everything that writes: spans, headers, tags, assessments, deletions.

Contract: a future (or a call) that ends without an error means that the rows are durable. Calls
may come from any thread. `submit` prepares in the caller's thread, one writer thread inserts, in
groups. When the writer's queue is full, every call raises UnavailableError with `retry_after_s`.

Deliveries may come in any order and any number of times. What comes for a deleted trace counts as
accepted and is not stored.

At start, traces whose rows a crash left unwritten are assembled again (`repair`): those received
within the hour before the newest delivery.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import msgspec

from whence.errors import InvalidInputError, WhenceError
from whence.ingest.canon import REPOSITORY_NAMES
from whence.ingest.clock import Clock
from whence.ingest.deliveries import StoreArtifact, StoreHeader, StoreSpans
from whence.ingest.edits import (
    DeleteAssessment,
    DeleteTag,
    DeleteTraces,
    LogAssessment,
    SetTags,
    UpdateAssessment,
)
from whence.ingest.experiment_edits import (
    CreateExperiment,
    KeepExperiment,
    MoveExperiment,
    RenameExperiment,
    TagExperiment,
    check_name,
)
from whence.ingest.experiments import ExperimentCache, is_experiment_id
from whence.ingest.header import check_trace_id, drop_absent, encode_header
from whence.ingest.jobs import ROW_OVERHEAD_BYTES, IngestResult, Job, Refold
from whence.ingest.known import KnownTraces
from whence.ingest.links import ExtendTag
from whence.ingest.memory import MAX_FACTS, TraceMemory
from whence.ingest.moved import Refused, StoreMoved
from whence.ingest.normalise import MAX_INT64
from whence.ingest.prepare import prepare_groups
from whence.ingest.tags import check_experiment_tags, check_tag_deletion, check_tags
from whence.ingest.writer import MAX_QUEUE_BYTES, MAX_QUEUE_JOBS, Writer
from whence.otlp.repository_url import strip_credentials
from whence.semconv import DEFAULT_EXPERIMENT_ID, DEFAULT_EXPERIMENT_NAME
from whence.store.engine import is_server_url
from whence.store.traces import locate_traces
from whence.store.unassembled import find_deletions, find_unassembled, read_newest_us

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from typing_extensions import Self

    from whence.ingest.header import Header
    from whence.ingest.jobs import Action
    from whence.ingest.prepare import Prepared
    from whence.otlp.records import ResourceSpans
    from whence.store.connection import Store
    from whence.store.rows import ArtifactRow, AssessmentRow, ExperimentRow

REPAIR_WINDOW_US = 3_600_000_000
REPAIR_CHUNK = 500
MAX_TIME_MS = 253_402_300_799_999  # the end of the year 9999: RFC 3339 can't say more

_log = logging.getLogger(__name__)

__all__ = ["IngestResult", "Ingestor"]


class Ingestor:
    """Takes deliveries and edits, and answers when they are durable. Close it before the store."""

    def __init__(
        self,
        store: Store,
        *,
        default_experiment_id: str = DEFAULT_EXPERIMENT_ID,
        environment_aliases: Mapping[str, str] | None = None,
        max_queue_bytes: int = MAX_QUEUE_BYTES,
        max_queue_jobs: int = MAX_QUEUE_JOBS,
        max_remembered_spans: int = MAX_FACTS,
    ) -> None:
        """Read what is known, repair what a crash left, and start the writer.

        `environment_aliases` (`semconv.normalise_environment`) count from now on.
        """
        self._store = store
        self._default_id = default_experiment_id
        self._newest_us = read_newest_us(store)
        shared = is_server_url(store.url)
        self._known = None if shared else KnownTraces(store)
        memory = TraceMemory(
            store,
            default_experiment_id=default_experiment_id,
            max_facts=max_remembered_spans,
            known=self._known,
        )
        self._writer = Writer(
            store,
            memory,
            Clock(self._newest_us),
            ExperimentCache(store),
            default_experiment_id=default_experiment_id,
            environment_aliases=environment_aliases,
            shared=shared,
            max_queue_bytes=max_queue_bytes,
            max_queue_jobs=max_queue_jobs,
        )
        self._prepare()
        self._writer.start()

    @property
    def default_experiment_id(self) -> str:
        """The experiment of traces that name none."""
        return self._default_id

    # --- Deliveries -----------------------------------------------------------------------------

    def submit(
        self, batch: Iterable[ResourceSpans], *, experiment_id: str | None = None
    ) -> Future[IngestResult]:
        """Store spans; `experiment_id` is what the request's header named."""
        return self.submit_prepared(
            prepare_groups(
                batch, experiment_id=experiment_id, default_experiment_id=self._default_id
            )
        )

    def submit_prepared(self, prepared: Prepared) -> Future[IngestResult]:
        """Store what `prepare` made of a request, which must have known `default_experiment_id`."""
        if not prepared.facts and not prepared.documents:
            done: Future[IngestResult] = Future()
            done.set_result(IngestResult(0, prepared.message))
            return done
        return self._writer.submit(
            Job(
                StoreSpans(prepared),
                prepared.trace_ids,
                prepared.size_bytes,
                experiments=None if prepared.documents else prepared.experiments,
            )
        )

    def submit_header(self, header: Header) -> Future[IngestResult]:
        """Store what an MLflow client says about a trace.

        The future raises ConflictError when it contradicts the header before.
        """
        header = _check_header(header)
        return self._writer.submit(Job(StoreHeader(header), [header.trace_id], _weigh(header)))

    def submit_moved(self, headers: Iterable[Header]) -> Future[list[Refused]]:
        """Store what another store had of its traces, apart from their spans.

        The future's result names what was refused; the rest is durable.
        """
        taken, refused = [], []
        for header in headers:
            try:
                _check_experiment(header)
                taken.append(_check_header(header))
            except WhenceError as error:  # noqa: PERF203 - free where nothing is raised
                refused.append(Refused(header.trace_id, error.message, whole=True))
        size_bytes = sum(map(_weigh, taken))
        trace_ids = list(dict.fromkeys(header.trace_id for header in taken))
        return self._writer.submit(
            Job(StoreMoved(self._store, taken, refused), trace_ids, size_bytes)
        )

    # --- Edits: each returns when it is durable ---------------------------------------------------

    def set_tags(self, trace_id: str, tags: Mapping[str, str]) -> None:
        """Set tags. Raises NotFoundError, InvalidInputError, ConflictError."""
        self._do(SetTags(trace_id, check_tags(tags)), [trace_id])

    def delete_tag(self, trace_id: str, key: str) -> None:
        """Delete a tag. Raises NotFoundError where the trace or the tag isn't there."""
        self._do(DeleteTag(self._store, trace_id, check_tag_deletion(key)), [trace_id])

    def link_traces(self, trace_ids: Sequence[str], key: str, items: Sequence[Any]) -> None:
        """Add items to the JSON list that tag `key` holds. All of the traces, or an error."""
        self._do(ExtendTag(self._store, trace_ids, key, items), list(dict.fromkeys(trace_ids)))

    def delete_traces(self, trace_ids: Sequence[str]) -> int:
        """Delete traces for good; return how many of them were there."""
        return int(self._do(DeleteTraces(trace_ids), list(dict.fromkeys(trace_ids))))

    def log_assessment(self, trace_id: str, assessment: Mapping[str, Any]) -> AssessmentRow:
        """Store an assessment given in MLflow's JSON; one of the same id is replaced.

        Raises NotFoundError where the trace, or what it overrides, isn't there.
        """
        row: AssessmentRow = self._do(LogAssessment(self._store, trace_id, assessment), [trace_id])
        return row

    def update_assessment(
        self,
        trace_id: str,
        assessment_id: str,
        assessment: Mapping[str, Any],
        fields: Collection[str],
    ) -> AssessmentRow:
        """Change `fields` (of `assessments.CHANGEABLE`) to what they are in MLflow's JSON.

        Raises NotFoundError where it isn't there, InvalidInputError where a field can't change.
        """
        action = UpdateAssessment(self._store, trace_id, assessment_id, assessment, fields)
        row: AssessmentRow = self._do(action, [trace_id])
        return row

    def delete_assessment(self, trace_id: str, assessment_id: str) -> None:
        """Delete an assessment; what it overrode is valid again. Fine where it isn't there."""
        self._do(DeleteAssessment(self._store, trace_id, assessment_id), [trace_id])

    def create_experiment(self, name: str) -> ExperimentRow:
        """Create an experiment, or get the one of that name."""
        row: ExperimentRow = self._do(CreateExperiment(check_name(name)), [])
        return row

    def add_experiment(self, name: str, tags: Mapping[str, str]) -> ExperimentRow:
        """Create an experiment; AlreadyExistsError where one has the name, be it deleted."""
        checked = {key: value or "" for key, value in check_experiment_tags(tags).items()}
        row: ExperimentRow = self._do(CreateExperiment(check_name(name), checked, new=True), [])
        return row

    def rename_experiment(self, experiment_id: str, name: str) -> None:
        """Rename an active experiment. Raises NotFoundError, AlreadyExistsError."""
        self._do(RenameExperiment(experiment_id, check_name(name)), [])

    def delete_experiment(self, experiment_id: str) -> None:
        """Delete an active experiment; its traces stay. Raises NotFoundError."""
        self._do(MoveExperiment(experiment_id, deleted=True), [])

    def restore_experiment(self, experiment_id: str) -> None:
        """Restore a deleted experiment. Raises NotFoundError."""
        self._do(MoveExperiment(experiment_id, deleted=False), [])

    def tag_experiment(self, experiment_id: str, tags: Mapping[str, str | None]) -> None:
        """Set tags of an active experiment, or delete those that are None.

        Raises NotFoundError, InvalidInputError.
        """
        self._do(TagExperiment(experiment_id, check_experiment_tags(tags)), [])

    def store_artifact(self, artifact: ArtifactRow) -> None:
        """Store a file of a trace, which may not be there yet. Raises InvalidInputError."""
        check_trace_id(artifact.trace_id)
        self._do(StoreArtifact(artifact), [artifact.trace_id])

    # --- The rest -------------------------------------------------------------------------------

    def subscribe(self, callback: Callable[[list[str]], None]) -> Callable[[], None]:
        """Call back with the ids of changed traces after every commit; return the off switch."""
        return self._writer.subscribe(callback)

    def wait_until_known(self, timeout_s: float | None = None) -> None:
        """Wait until the ids of all stored traces were read. For tests and benchmarks."""
        if self._known is not None:
            self._known.wait(timeout_s)

    def close(self) -> None:
        """Finish everything accepted; what is submitted later raises UnavailableError."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _do(self, action: Action, trace_ids: Sequence[str]) -> Any:
        return self._writer.submit(Job(action, trace_ids, reads_store=True)).result()

    def _prepare(self) -> None:
        """Repair, and see to it that the default experiment is there; no writer runs yet."""
        try:
            self._run(KeepExperiment(DEFAULT_EXPERIMENT_ID, DEFAULT_EXPERIMENT_NAME), [])
            repaired = self._repair()
            if repaired:
                _log.info("assembled %d traces that a crash left unassembled", repaired)
        except WhenceError:  # reading still works; health says what is wrong with writing
            _log.warning("the store could not be repaired at start", exc_info=True)

    def _repair(self) -> int:
        since_us = self._newest_us - REPAIR_WINDOW_US
        deleted = locate_traces(self._store, find_deletions(self._store, since_us))
        trace_ids = sorted({*find_unassembled(self._store, since_us), *deleted})
        for start in range(0, len(trace_ids), REPAIR_CHUNK):
            chunk = trace_ids[start : start + REPAIR_CHUNK]
            self._run(Refold(chunk), chunk)
        self._writer.purge(list(deleted))
        return len(trace_ids)

    def _run(self, action: Action, trace_ids: Sequence[str]) -> Any:
        job: Job[Any] = Job(action, trace_ids)
        self._writer.commit([job])
        return job.future.result()


def _check_header(header: Header) -> Header:
    """Return the header as it is stored, or raise InvalidInputError."""
    check_trace_id(header.trace_id)
    _check_times(header)
    metadata = drop_absent(header.trace_metadata)
    for name in REPOSITORY_NAMES.intersection(metadata):
        metadata[name] = strip_credentials(metadata[name])
    return msgspec.structs.replace(header, trace_metadata=metadata)


def _weigh(header: Header) -> int:
    """Return about what a header takes in memory: itself, and the text that is stored of it."""
    return 2 * len(encode_header(header)) + ROW_OVERHEAD_BYTES


def _check_experiment(header: Header) -> None:
    given = header.experiment_id
    if given is not None and not is_experiment_id(given):
        raise InvalidInputError(f"experiment_id must be an integer, got {given[:200]!r}")


def _check_times(header: Header) -> None:
    for name, limit in (("request_time_ms", MAX_TIME_MS), ("duration_ns", MAX_INT64)):
        value = getattr(header, name)
        if value is not None and not 0 <= value <= limit:
            raise InvalidInputError(f"{name} must be within 0 and {limit}, got {value}")
