"""One group commit: jobs applied to the traces they touch, then the rows of all of them.

A group changes trace states and stages rows; `insert` writes them, truth first (documents,
ancestors, files, assessments, spans, headers, tags, deletions, conflicts, experiments), then what
is derived (traces, open_traces). So a crash in between loses nothing that was acknowledged:
`repair` folds such traces again. When an insert fails, the states touched are dropped and the group
is tried in smaller pieces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.ingest.assemble import assemble, is_complete
from whence.ingest.assessments import INITIAL_VERSION
from whence.ingest.header import MAX_CONFLICTS
from whence.ingest.memory import FACTS_PER_REFUSAL, Place, kept_by
from whence.semconv import ANCESTORS_DOCUMENT, LINKED_RUNS_TAG
from whence.store.rows import (
    AncestorsRow,
    ArtifactRow,
    AssessmentRow,
    ConflictRow,
    DeletionRow,
    DocumentRow,
    ExperimentRow,
    HeaderRow,
    TagRow,
    TraceRow,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pyarrow import RecordBatch

    from whence.ingest.clock import Clock
    from whence.ingest.experiments import ExperimentCache
    from whence.ingest.header import Refusal
    from whence.ingest.memory import Conflicts, TraceMemory, TraceState
    from whence.store.connection import Store


class Group:
    """The rows of one commit, in the making. For the writer's thread only."""

    def __init__(
        self,
        memory: TraceMemory,
        clock: Clock,
        experiments: ExperimentCache,
        default_id: str,
        environment_aliases: Mapping[str, str] | None = None,
    ) -> None:
        self.clock = clock
        self.experiments = experiments
        self.default_id = default_id
        self.grown = 0
        self._memory = memory
        self._environment_aliases = environment_aliases
        self._touched: dict[str, TraceState] = {}
        self._unfolded: dict[str, TraceState] = {}
        self._mentioned: dict[str, None] = {}
        self._spans: list[RecordBatch] = []
        self._documents: dict[tuple[str, str], DocumentRow] = {}
        self._artifacts: dict[tuple[str, str], ArtifactRow] = {}
        self._ancestors: dict[str, AncestorsRow] = {}
        self._headers: dict[str, HeaderRow] = {}
        self._tags: dict[tuple[str, str], TagRow] = {}
        self._assessments: dict[tuple[str, str], AssessmentRow] = {}
        self._deletions: list[DeletionRow] = []
        self._conflicts: list[ConflictRow] = []
        self._experiments: dict[str, ExperimentRow] = {}
        self._traces: list[TraceRow] = []
        self._open_traces: list[TraceRow] = []
        self._replacing: set[str] = set()  # the traces whose rows may lie where others do
        self._encoded_traces: list[RecordBatch] = []
        self._encoded = 0  # of the traces

    # --- What jobs do ---------------------------------------------------------------------------

    def state(self, trace_id: str) -> TraceState:
        """Return what is known of a trace."""
        return self._memory.get(trace_id)

    def touch(self, state: TraceState) -> None:
        """Note that the trace must be assembled again."""
        self._unfolded[state.trace_id] = state

    def mention(self, trace_id: str) -> None:
        """Note that something about the trace changed that is not in its row."""
        self._mentioned[trace_id] = None

    def add_spans(self, rows: RecordBatch) -> None:
        """Store spans; of two records of one span their versions say which one stays."""
        self._spans.append(rows)
        self.grown += rows.num_rows

    def add_document(self, row: DocumentRow) -> None:
        """Store a document; of two in a group the first, and of a commit's ancestors the most."""
        if row.kind == ANCESTORS_DOCUMENT:
            found = row.text.split("\n")
            known = self._ancestors.get(row.hash)
            if known is None or known.version < len(found):
                self._ancestors[row.hash] = AncestorsRow(
                    commit=row.hash, ancestors=found, version=len(found)
                )
            return
        self._documents.setdefault((row.kind, row.hash), row)

    def add_artifact(self, row: ArtifactRow) -> None:
        """Store a file; of two in a group the last."""
        self._artifacts[row.trace_id, row.path] = row

    def add_header(self, row: HeaderRow) -> None:
        """Store a header."""
        self._headers[row.trace_id] = row

    def add_tag(self, row: TagRow) -> None:
        """Store a tag, or its tombstone; of two in one group the later version."""
        staged = self._tags.setdefault((row.trace_id, row.key), row)
        if staged.version <= row.version:
            self._tags[row.trace_id, row.key] = row

    def add_assessment(self, row: AssessmentRow) -> None:
        """Store an assessment, or its tombstone; of two in one group the later version."""
        staged = self._assessments.setdefault((row.trace_id, row.assessment_id), row)
        if staged.version <= row.version:
            self._assessments[row.trace_id, row.assessment_id] = row

    def add_deletion(self, row: DeletionRow) -> None:
        """Store a trace's tombstone."""
        self._deletions.append(row)

    def learn_experiment(self, experiment_id: str, name: str) -> None:
        """Store an experiment, where it or its name is new."""
        row = self.experiments.learn(experiment_id, name, self.clock.tick())
        if row is not None:
            self._experiments[experiment_id] = row

    def stages_experiment(self, experiment_id: str) -> bool:
        """Tell whether this group will store the experiment."""
        return experiment_id in self._experiments

    def add_experiment(self, row: ExperimentRow) -> None:
        """Store a changed experiment."""
        self.experiments.put(row)
        self._experiments[row.experiment_id] = row

    def newest_tag(self, trace_id: str, key: str, stored: TagRow | None) -> TagRow | None:
        """Return what was last written of a tag: in this group, or the row that is stored."""
        staged = self._tags.get((trace_id, key))
        if staged is None or (stored is not None and stored.version > staged.version):
            return stored
        return staged

    def staged_assessments(self, trace_id: str) -> list[AssessmentRow]:
        """Return the assessments of this trace that are in this group."""
        return [row for row in self._assessments.values() if row.trace_id == trace_id]

    def read_row(self, state: TraceState) -> TraceRow:
        """Return the trace's row as it would be now."""
        return self._assemble(state)[0]

    def refuse(self, state: TraceState, refusals: Iterable[Refusal]) -> None:
        """Keep what was refused, to be stored as conflicts; of many the first ones."""
        for refusal in refusals:
            if len(state.refusals) < MAX_CONFLICTS and refusal not in state.refusals:
                state.refusals.append(refusal)
                self.grown += FACTS_PER_REFUSAL

    def list_standing(self, state: TraceState, refusals: Sequence[Refusal]) -> Conflicts:
        """Return those that differ from what the trace has in their place, kept or not."""
        if not refusals or not state.exists:
            return {}
        wanted = {(one.key, one.refused) for one in refusals}
        rows = self._assemble(state, refusals)[1]
        found = {(row.key, row.refused): kept_by(row) for row in rows}
        return {identity: kept for identity, kept in found.items() if identity in wanted}

    # --- Folding and inserting ------------------------------------------------------------------

    def fold(self) -> None:
        """Assemble every trace touched since the last call, and stage what changes by it."""
        unfolded, self._unfolded = self._unfolded, {}
        self._touched.update(unfolded)
        for state in unfolded.values():
            if state.deleted:
                self._withdraw(state)
            elif state.exists:
                self._fold(state)

    def encode(self, store: Store) -> None:
        """Encode the traces staged since the last call, which are most of what is folded."""
        if len(self._traces) > self._encoded:
            self._encoded_traces.append(store.encode("traces", self._traces[self._encoded :]))
            self._encoded = len(self._traces)

    def insert(self, store: Store, between: Callable[[], None]) -> None:
        """Write the encoded rows, truth first; each insert is durable when it returns.

        `between` is called after what is true, and before what is derived.
        """
        store.insert("documents", list(self._documents.values()))
        store.insert("artifacts", list(self._artifacts.values()))
        store.insert("ancestors", list(self._ancestors.values()))
        # Before their trace: where a crash comes between, the retry of the trace brings them again.
        store.insert("assessments", list(self._assessments.values()))
        store.insert_encoded("spans", self._spans)
        store.insert("headers", list(self._headers.values()))
        store.insert("tags", list(self._tags.values()))
        store.insert("deletions", self._deletions)
        store.insert("conflicts", self._conflicts)
        store.insert("experiments", list(self._experiments.values()))
        between()
        with store.hours.changing(
            store, ((row.experiment_id, row.request_time_ms) for row in self._traces)
        ):
            store.insert_encoded("traces", self._encoded_traces, replacing=self._replacing)
        store.insert("open_traces", self._open_traces, replacing=self._replacing)

    @property
    def touched(self) -> list[TraceState]:
        """The traces whose rows this group decides."""
        return list(self._touched.values())

    @property
    def changed(self) -> list[str]:
        """The ids of the traces that a reader sees differently now."""
        written = (row.trace_id for row in (*self._traces, *self._open_traces))
        return list(dict.fromkeys((*written, *self._mentioned)))

    @property
    def deleted(self) -> list[str]:
        """The ids of the traces deleted by this group."""
        return [row.trace_id for row in self._deletions]

    def _assemble(
        self, state: TraceState, refusals: Sequence[Refusal] | None = None
    ) -> tuple[TraceRow, list[ConflictRow]]:
        return assemble(
            state.trace_id,
            state.facts.values(),
            state.header,
            refusals=state.refusals if refusals is None else refusals,
            default_experiment_id=self.default_id,
            environment_aliases=self._environment_aliases,
            version=0 if state.row is None else state.row.version,  # so that an equal row is equal
            at_us=self.clock.tick(),
        )

    def _fold(self, state: TraceState) -> None:
        row, conflicts = self._assemble(state)
        self._compare_conflicts(state, conflicts)
        if state.row == row and not state.in_doubt:
            return
        state.row = row
        self._note_links(row)
        old, new = state.place, Place(row.experiment_id, row.request_time_ms, is_complete(row))
        state.place = new
        if state.in_doubt or old is not None:
            self._replacing.add(state.trace_id)
        if state.in_doubt or (old is not None and old != new):
            self._leave(state, old, new)
        row.version = self.clock.tick()
        (self._traces if new.complete else self._open_traces).append(row)

    def _note_links(self, row: TraceRow) -> None:
        """Write what a trace came with of runs as a link is: only there searches look for it."""
        runs = row.tags.get(LINKED_RUNS_TAG)
        if runs is not None:
            self.add_tag(
                TagRow(
                    trace_id=row.trace_id, key=LINKED_RUNS_TAG, value=runs, version=INITIAL_VERSION
                )
            )

    def _leave(self, state: TraceState, old: Place | None, new: Place) -> None:
        """Take the row away from where it lay; in doubt, from the other table too."""
        if old is not None and old.complete and old != new:
            self._traces.append(self._tombstone(state.trace_id, old))
        if new.complete and (state.in_doubt or (old is not None and not old.complete)):
            self._open_traces.append(self._tombstone(state.trace_id, new))

    def _withdraw(self, state: TraceState) -> None:
        """Take the rows of a deleted trace away."""
        place = state.place
        self._replacing.add(state.trace_id)
        if place is not None:
            row = self._tombstone(state.trace_id, place)
            (self._traces if place.complete else self._open_traces).append(row)
        if state.in_doubt:
            other = Place("", 0, complete=False)
            self._open_traces.append(self._tombstone(state.trace_id, other))
        state.clear()

    def _tombstone(self, trace_id: str, place: Place) -> TraceRow:
        return TraceRow(
            experiment_id=place.experiment_id,
            trace_id=trace_id,
            request_time_ms=place.request_time_ms,
            version=self.clock.tick(),
            deleted=1,
        )

    def _compare_conflicts(self, state: TraceState, conflicts: Iterable[ConflictRow]) -> None:
        """Stage new conflicts, and take back those that a later delivery resolved."""
        found = {(row.key, row.refused): row for row in conflicts}
        for identity, row in found.items():
            if identity not in state.conflicts or state.conflicts[identity] != kept_by(row):
                self._conflicts.append(row)
        for key, refused in state.conflicts.keys() - found.keys():
            self._conflicts.append(
                ConflictRow(
                    trace_id=state.trace_id,
                    key=key,
                    kept=refused,
                    refused=refused,
                    at_us=self.clock.tick(),
                )
            )
        state.conflicts = {identity: kept_by(row) for identity, row in found.items()}
