"""Traces of MLflow, straight from its database, oldest first.

Rows are read in pages by (time, id), so that reading goes on at any place, also while MLflow
writes. What newer versions keep in columns (the name, the session, tokens, cost) becomes again the
tag or the metadata that MLflow answers with; tables and columns that an older version lacks are
done without. Spans lie in the table `spans`, or, of older traces, in `traces.json` in the folder of
artifacts: it is read where that is on this machine.

Experiments that were deleted are left out, and what is in them is no loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from whence.errors import InvalidInputError
from whence.moves.mlflow import judgements
from whence.moves.mlflow.spans import read_file, read_text
from whence.moves.trace import OVERHEAD_BYTES, MovedTrace, digits_of
from whence.semconv import (
    COST,
    LINKED_PROMPTS_TAG,
    LINKED_RUNS_TAG,
    SERVER_TAGS,
    SESSION,
    TOKEN_USAGE,
    TRACE_NAME_TAG,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from whence.moves.mlflow.artifacts import Artifacts
    from whence.moves.mlflow.connection import Connection
    from whence.moves.selection import Selection

PAGE = 500
SPAN_PAGE = 25  # traces whose spans are in memory at once
NS_PER_MS = 1_000_000
MIN_MS = -(2**62)

EXPERIMENTS = "SELECT e.experiment_id, e.name, e.lifecycle_stage FROM experiments e"
EXPERIMENT_TAGS = "SELECT t.experiment_id, t.key, t.value FROM experiment_tags t"
COUNT = """\
SELECT COUNT(*) AS traces FROM trace_info t
WHERE t.experiment_id = :experiment AND t.timestamp_ms >= :since
"""
TRACES = """\
SELECT * FROM trace_info t
WHERE t.experiment_id = :experiment AND t.timestamp_ms >= :since
  AND (t.timestamp_ms > :time_ms OR (t.timestamp_ms = :time_ms AND t.request_id > :trace_id))
ORDER BY t.timestamp_ms, t.request_id
LIMIT :page
"""
CHILDREN = {
    "trace_tags": "SELECT t.request_id AS owner, t.key, t.value FROM trace_tags t"
    " WHERE t.request_id IN ({ids})",
    "trace_request_metadata": "SELECT t.request_id AS owner, t.key, t.value"
    " FROM trace_request_metadata t WHERE t.request_id IN ({ids})",
    "assessments": "SELECT a.*, a.trace_id AS owner FROM assessments a WHERE a.trace_id IN ({ids})"
    " ORDER BY a.created_timestamp, a.assessment_id",
    "spans": "SELECT s.trace_id AS owner, s.span_id, s.content FROM spans s"
    " WHERE s.trace_id IN ({ids}) ORDER BY s.start_time_unix_nano",
    "entity_associations": "SELECT e.source_id AS owner, e.destination_type, e.destination_id"
    " FROM entity_associations e WHERE e.source_type = 'trace' AND e.source_id IN ({ids})",
}
SPANS_LOCATION, ARTIFACT_LOCATION = "mlflow.trace.spansLocation", "mlflow.artifactLocation"
IN_STORE = "TRACKING_STORE"
ATTACHMENT = "mlflow-attachment://"
ATTACHMENTS_STAY = "its attachments stay where they are; their references were moved"
ARCHIVED = "MLflow has archived them: import from the MLflow server instead"
_Rows = dict[str, list[dict[str, Any]]]


class Experiment(msgspec.Struct, frozen=True):
    """An experiment of the source."""

    id: str
    name: str
    tags: dict[str, str] = {}


class DatabaseReader:
    """Reads the traces of one MLflow database."""

    def __init__(self, connection: Connection, selection: Selection, artifacts: Artifacts) -> None:
        """Look at what is there. Raises InvalidInputError where it is no database of MLflow."""
        self._connection = connection
        self._selection = selection
        self._artifacts = artifacts
        self._since_ms = MIN_MS if selection.since_ms is None else selection.since_ms
        if not connection.columns("trace_info"):
            raise InvalidInputError(
                "the database has no table trace_info: it is not MLflow's, or older than 2.14"
            )
        self._tables = {name for name in CHILDREN if connection.columns(name)}
        self.left_out: list[str] = []
        self.experiments = self._read_experiments()

    def count(self) -> int:
        """Return how many traces are selected."""
        return sum(
            int(row["traces"])
            for one in self.experiments
            for row in self._connection.rows(
                COUNT, {"experiment": int(one.id), "since": self._since_ms}
            )
        )

    def read(self, places: Mapping[str, Any]) -> Iterator[MovedTrace]:
        """Yield traces, each experiment's from its place on."""
        for experiment in self.experiments:
            place = places.get(experiment.id) or (MIN_MS, "")
            while place is not None:
                page = self._read_page(experiment, place)
                for start in range(0, len(page), SPAN_PAGE):
                    yield from self._finish(experiment, page[start : start + SPAN_PAGE])
                full = len(page) == PAGE
                place = (page[-1]["timestamp_ms"], page[-1]["request_id"]) if full else None

    def _read_experiments(self) -> list[Experiment]:
        tags: dict[str, dict[str, str]] = {}
        if self._connection.columns("experiment_tags"):
            for row in self._connection.rows(EXPERIMENT_TAGS, {}):
                tags.setdefault(str(row["experiment_id"]), {})[row["key"]] = row["value"] or ""
        found = []
        for row in self._connection.rows(EXPERIMENTS, {}):
            one = Experiment(str(row["experiment_id"]), row["name"])
            if row["lifecycle_stage"] == "deleted":
                self.left_out.append(one.name)
            elif self._selection.takes(one.id, one.name):
                found.append(msgspec.structs.replace(one, tags=tags.get(one.id, {})))
        return sorted(found, key=lambda one: int(one.id))

    def _read_page(self, experiment: Experiment, place: Sequence[Any]) -> list[dict[str, Any]]:
        values = {
            "experiment": int(experiment.id),
            "since": self._since_ms,
            "time_ms": place[0],
            "trace_id": place[1],
            "page": PAGE,
        }
        return list(self._connection.rows(TRACES, values))

    def _finish(self, experiment: Experiment, rows: list[dict[str, Any]]) -> Iterator[MovedTrace]:
        """Read what belongs to the traces of these rows."""
        ids = [row["request_id"] for row in rows]
        children = {name: self._read_children(name, ids) for name in CHILDREN}
        for row in rows:
            trace_id = row["request_id"]
            of_trace = {name: found.get(trace_id, []) for name, found in children.items()}
            trace = read_head(row, of_trace)
            trace.experiment = experiment.name
            trace.place = {experiment.id: (row["timestamp_ms"], trace_id)}
            self._add_spans(trace, of_trace["spans"])
            yield trace

    def _read_children(self, name: str, ids: list[str]) -> _Rows:
        if name not in self._tables:
            return {}
        values = {f"i{number}": one for number, one in enumerate(ids)}
        sql = CHILDREN[name].replace("{ids}", ", ".join(f":{key}" for key in values))
        found: _Rows = {}
        for row in self._connection.rows(sql, values):
            found.setdefault(row["owner"], []).append(row)
        return found

    def _add_spans(self, trace: MovedTrace, rows: list[dict[str, Any]]) -> None:
        digits = digits_of(trace.trace_id)
        spans, size_bytes, has_files = [], OVERHEAD_BYTES, False
        archived = [row for row in rows if not row["content"]]
        if archived:
            trace.problems.append(f"{len(archived)} of its spans: {ARCHIVED}")
        for row in rows:
            if not row["content"]:
                continue
            try:
                spans.append(read_text(row["content"], digits))
            except InvalidInputError as error:
                trace.problems.append(f"span {row['span_id']}: {error.message}")
            size_bytes += len(row["content"]) + OVERHEAD_BYTES
            has_files = has_files or ATTACHMENT in row["content"]
        location = trace.tags.get(ARTIFACT_LOCATION)
        if not rows and location and trace.tags.get(SPANS_LOCATION) != IN_STORE:
            try:
                content = self._artifacts.read(location)
                size_bytes += len(content)
                has_files = ATTACHMENT.encode() in content
                spans, problems = read_file(content, digits)
                trace.problems.extend(problems)
            except InvalidInputError as error:
                trace.problems.append(error.message)
        if has_files:
            trace.problems.append(ATTACHMENTS_STAY)
        for key in SERVER_TAGS:
            trace.tags.pop(key, None)
        trace.spans = spans
        trace.size_bytes = size_bytes


def read_head(row: Mapping[str, Any], children: Mapping[str, list[dict[str, Any]]]) -> MovedTrace:
    """Return a trace without its spans, from its row and what belongs to it."""
    tags = {one["key"]: one["value"] or "" for one in children["trace_tags"]}
    metadata = {one["key"]: one["value"] or "" for one in children["trace_request_metadata"]}
    if row.get("trace_name"):
        tags.setdefault(TRACE_NAME_TAG, row["trace_name"])
    for key, value in {
        SESSION: row.get("session_id"),
        TOKEN_USAGE: judgements.write_columns(row, judgements.TOKEN_COLUMNS),
        COST: judgements.write_columns(row, judgements.COST_COLUMNS),
    }.items():
        if value is not None:
            metadata.setdefault(key, value)
    tags.update(_read_links(children["entity_associations"], tags))
    assessments, problems = [], []
    for one in children["assessments"]:
        try:
            assessments.append(judgements.read_judgement(one))
        except InvalidInputError as error:  # noqa: PERF203 - free where nothing is raised
            problems.append(error.message)
    duration_ms = row["execution_time_ms"]
    return MovedTrace(
        trace_id=row["request_id"],
        request_time_ms=row["timestamp_ms"],
        duration_ns=None if duration_ms is None else duration_ms * NS_PER_MS,
        state=judgements.STATES.get(row["status"]),
        client_request_id=row.get("client_request_id"),
        request_preview=row.get("request_preview"),
        response_preview=row.get("response_preview"),
        metadata=metadata,
        tags=tags,
        assessments=assessments,
        problems=problems,
    )


def _read_links(rows: list[dict[str, Any]], tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that hold what a trace was linked to later: runs and versions of prompts."""
    runs = [row["destination_id"] for row in rows if row["destination_type"] == "run"]
    named = [row["destination_id"] for row in rows if row["destination_type"] == "prompt_version"]
    prompts = [
        {"name": name, "version": version}
        for name, slash, version in (one.rpartition("/") for one in named)
        if slash
    ]
    found = {}
    if runs:
        found[LINKED_RUNS_TAG] = msgspec.json.encode(runs).decode()
    if prompts and LINKED_PROMPTS_TAG not in tags:
        found[LINKED_PROMPTS_TAG] = msgspec.json.encode(prompts).decode()
    return found
