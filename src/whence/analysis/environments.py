"""Environments side by side: what runs in each, how it does, and what looks mislabelled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from whence import semconv
from whence.analysis.mislabelled import Hints
from whence.entities.environments import EnvironmentOverview, EnvironmentRow
from whence.entities.version import Counted
from whence.query.arms import all_of
from whence.query.environment_facts import read_facts
from whence.query.facet_sql import EXACT_TRACES
from whence.query.filters import Comparison, render
from whence.query.version_names import find_version
from whence.query.version_quality import read_quality
from whence.query.version_table import BY_ENVIRONMENT, BY_VERSION, MAX_MAX_VERSIONS, read_rows, warn
from whence.query.vocabulary import Field

if TYPE_CHECKING:
    from whence.entities.version import VersionQuality, VersionRow
    from whence.query.environment_facts import EnvironmentFacts
    from whence.query.filters import Filter
    from whence.query.version_quality import Key
    from whence.query.version_source import Selection
    from whence.store.connection import Store

MAX_ENVIRONMENTS = 100
# From the desk to the users; other names stand behind these, by name.
ORDER = ("development", "test", "staging", "production")
KINDS = ("app_version", "commit", "manifest")
_TIME = Field("attribute", "timestamp_ms")


def list_environments(
    store: Store,
    selection: Selection,
    version: str | None = None,
    *,
    with_quality: bool = True,
    with_hints: bool = True,
) -> EnvironmentOverview:
    """Return the environments of the selected traces, of one version where it is named.

    Raises NotFoundError where no trace names the version, InvalidInputError where several may be
    meant.
    """
    started = time.perf_counter()
    if version is not None:
        selection = find_version(store, selection, version)
    kind = next((one for one in KINDS if getattr(selection, one) is not None), None)
    rows, total = read_rows(store, selection, keys=(BY_ENVIRONMENT,), limit=MAX_ENVIRONMENTS)
    by_version = (BY_ENVIRONMENT, *BY_VERSION)
    of_versions, _ = read_rows(store, selection, keys=by_version, limit=MAX_MAX_VERSIONS)
    quality: dict[Key, list[VersionQuality]] = {}
    if with_quality:
        quality = read_quality(store, selection, by_environment=True, by_version=False)
    facts = read_facts(store, selection)
    narrowed = _narrow(selection)
    hints = []
    if facts is not None and with_hints:
        merged, _ = read_rows(store, selection, keys=BY_VERSION, limit=MAX_MAX_VERSIONS)
        hints = Hints(store, selection, narrowed).find(facts, warn(store, merged))
    known = {one.environment: one for one in facts or ()}
    return EnvironmentOverview(
        version=None if kind is None else getattr(selection, kind),
        kind=kind,
        environments=[
            _write_row(row, selection, of_versions, quality, known.get(row.environment), narrowed)
            for row in sorted(rows, key=_place)
        ],
        hints=hints,
        notes=_write_notes(total, counted=facts is not None, with_hints=with_hints),
        elapsed_ms=round((time.perf_counter() - started) * 1000, 3),
    )


def _place(row: VersionRow) -> tuple[int, str]:
    name = row.environment
    if name is None:
        return len(ORDER) + 1, ""
    return (ORDER.index(name), "") if name in ORDER else (len(ORDER), name)


def _write_row(
    row: VersionRow,
    selection: Selection,
    of_versions: list[VersionRow],
    quality: dict[Key, list[VersionQuality]],
    facts: EnvironmentFacts | None,
    narrowed: list[Filter],
) -> EnvironmentRow:
    named = [
        one
        for one in of_versions
        if one.environment == row.environment and (one.app_version or one.commit)
    ]
    values = {
        **msgspec.structs.asdict(row),
        "app_version": selection.app_version,
        "commit": selection.commit,
        "quality": quality.get((row.environment, None, None), []),
    }
    field = Field("attribute", "environment")
    here = (
        Comparison(field, "IS NULL")
        if row.environment is None
        else Comparison(field, "=", (row.environment,))
    )
    return EnvironmentRow(
        **values,
        units=None if facts is None else facts.units,
        versions=len(named),
        spellings=[
            Counted(name, count) for name, count in (facts.spellings if facts else ()) if name
        ],
        tokens_per_trace=row.total_tokens / row.counted if row.counted else None,
        cost_usd_per_trace=row.cost_usd / row.priced if row.priced else None,
        filter_string=_show(all_of(here, *narrowed)),
    )


def _show(tree: Filter) -> str | None:
    try:
        return render(tree)
    except ValueError:  # a name with both kinds of quotes
        return None


def _narrow(selection: Selection) -> list[Filter]:
    """Return what the selection asks for as conditions of a filter, experiments aside."""
    fields = {
        Field("attribute", "app_version"): selection.app_version,
        Field("attribute", "commit"): selection.commit,
        Field("metadata", semconv.MANIFEST): selection.manifest,
    }
    parts: list[Filter] = [
        Comparison(field, "=", (value,)) for field, value in fields.items() if value is not None
    ]
    if selection.since_ms is not None:
        parts.append(Comparison(_TIME, ">=", (float(selection.since_ms),)))
    if selection.until_ms is not None:
        parts.append(Comparison(_TIME, "<", (float(selection.until_ms),)))
    return parts


def _write_notes(total: int, *, counted: bool, with_hints: bool) -> list[str]:
    notes = []
    if total > MAX_ENVIRONMENTS:
        notes.append(f"{total} environments: the {MAX_ENVIRONMENTS} seen last are listed")
    if not counted:
        what = "units and hints were" if with_hints else "units were"
        notes.append(
            f"{what} not looked for: more than {EXACT_TRACES:,} traces; name a time (since)"
        )
    return notes
