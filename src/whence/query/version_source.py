"""Where the numbers of versions come from: rollups for whole hours, `traces` for what has changed.

A `Selection` says which traces are meant: of an environment, of experiments, of a time, and of one
version, named by its `app_version`, its commit or its manifest's digest. A row to add up has the
columns of `trace_statistics`, and `open`: 1 for a trace that has not ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from whence.query.coverage import MAX_MS, Question, divide, living, within
from whence.query.filters import And, Comparison
from whence.query.vocabulary import Field
from whence.semconv import MANIFEST, normalise_environment
from whence.store.rollups import GROUPS, MEASURED, list_measures, list_stored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whence.query.compile import Parameters
    from whence.query.filters import Filter
    from whence.store.connection import Store

# What rows of versions can be grouped by.
_GROUPS = ("experiment_id", "environment", "app_version", "lone_commit")


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Traces; None and () are all. `since_ms` is included, `until_ms` is not."""

    environment: str | None = None
    experiment_ids: tuple[str, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    app_version: str | None = None
    commit: str | None = None
    manifest: str | None = None

    def ask(self) -> Question:
        """Return the question of these traces."""
        named = {
            Field("attribute", "environment"): self.environment,
            Field("attribute", "app_version"): self.app_version,
            Field("attribute", "commit"): self.commit,
            Field("metadata", MANIFEST): self.manifest,
        }
        parts: list[Filter] = [
            Comparison(field, "=", (value,)) for field, value in named.items() if value is not None
        ]
        tree = And(tuple(parts)) if len(parts) > 1 else next(iter(parts), None)
        until_ms = MAX_MS if self.until_ms is None else min(max(-1, self.until_ms - 1), MAX_MS)
        return Question(
            self.experiment_ids, tree, min(max(0, self.since_ms or 0), MAX_MS), until_ms
        )

    def condition(self, parameters: Parameters) -> str:
        """Return the SQL of these traces in `traces` and `open_traces`."""
        question = self.ask()
        condition, times = question.condition(parameters), question.time_condition(parameters)
        return f"{condition} AND {times} AND deleted = 0"

    def sources(self, store: Store, parameters: Parameters) -> str:
        """Return the SQL of all rows to add up; `list_sums` adds their measures.

        Rollups are not grouped by commits and manifests: with one of these, `traces` are read.
        """
        question = self.ask()
        cover = divide(store, question) if self.commit is None else None
        condition = question.condition(parameters)
        times = question.time_condition(parameters)
        parts: list[tuple[str, str, str]] = []  # table, its rows, its measures
        if cover is None:
            parts.append(("traces FINAL", times, list_measures()))
        else:
            parts.append(("trace_statistics", living(cover, parameters), list_stored()))
            if cover.direct:
                direct = within(cover.direct, parameters)
                parts.append(("traces FINAL", direct, list_measures()))
        parts.append(("open_traces FINAL", times, _OF_OPEN))
        return "\nUNION ALL\n".join(
            _select(table, f"{condition} AND {rows}", measures) for table, rows, measures in parts
        )


def _select(table: str, condition: str, measures: str) -> str:
    is_rolled = table == "trace_statistics"
    groups = ", ".join(
        f"{name if is_rolled else GROUPS.get(name, name)} AS {name}" for name in _GROUPS
    )
    whole = condition if is_rolled else f"{condition} AND deleted = 0"
    is_open = int(table.startswith("open_traces"))
    return f"SELECT {groups}, toUInt64({is_open}) AS open, {measures}\nFROM {table}\nWHERE {whole}"


def _measure_open() -> str:
    """Return the measures of a trace that has not ended: when it was seen, and its manifest."""
    known = {
        "first_seen_ms": "request_time_ms",
        "last_seen_ms": "request_time_ms",
        "manifests": MEASURED["manifests"][0],
        "durations": "map()",
        "commits": "map()",
    }
    return ", ".join(f"{known.get(name, '0')} AS one_{name}" for name in MEASURED)


_OF_OPEN = _measure_open()


def select(
    *,
    environment: str | None = None,
    experiment_ids: Sequence[str] | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
    environment_aliases: Mapping[str, str] | None = None,
) -> Selection:
    """Return a selection; the environment may be named as it is written."""
    if environment is not None:
        environment = normalise_environment(environment, environment_aliases)
    return Selection(
        environment=environment,
        experiment_ids=tuple(sorted(set(experiment_ids or ()))),
        since_ms=since_ms,
        until_ms=until_ms,
    )
