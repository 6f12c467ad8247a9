"""The two sides of a comparison: which traces a version, a commit, a branch or a filter means.

An arm is named by a text. `version:`, `commit:`, `manifest:`, `branch:` and `filter:` in front say
what it is; without one it is a filter where it reads as one (`app_version = '1.0'`), else the first
of version, commit, manifest (7 hex digits or more of either) and branch that has traces. A name
that nothing has stays a version without traces, so that a comparison of it is inconclusive, not an
error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from whence.errors import FilterError, InvalidInputError
from whence.query.arm_sql import condition_of
from whence.query.baselines import choose_baseline, find_newest
from whence.query.compile import SETTINGS, Parameters, patterns
from whence.query.environments import ENVIRONMENT, normalise_environments
from whence.query.filters import And, Comparison, Filter, comparisons, is_about_span, render
from whence.query.parser import parse_filter
from whence.query.search import check_pattern
from whence.query.vocabulary import Field
from whence.semconv import MANIFEST, MANIFEST_DOCUMENT, normalise_environment
from whence.store.documents import find_hashes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from whence.store.connection import Store

FIELD_OF_KIND: dict[str, Field] = {
    "app_version": Field("attribute", "app_version"),
    "commit": Field("attribute", "commit"),
    "manifest": Field("metadata", MANIFEST),
    "branch": Field("attribute", "branch"),
}
PREFIXES = {
    "version": "app_version",
    "commit": "commit",
    "manifest": "manifest",
    "branch": "branch",
    "filter": "filter",
}
_PREFIXED = re.compile(rf"({'|'.join(PREFIXES)}):(.*)", re.DOTALL)
_WHOLE = 64  # digits of a digest
_HEX = re.compile(r"[0-9a-f]{7,64}")
_TIME = Field("attribute", "timestamp_ms")
_STATE = Field("attribute", "state")
_UNFINISHED = "IN_PROGRESS"
_MANIFEST = "manifest_digest"


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What both arms share. No experiments mean all; `until_ms` is excluded."""

    environment: str | None = None
    filter_string: str | None = None
    experiment_ids: tuple[str, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    aliases: dict[str, str] = {}


class NamedArm(msgspec.Struct, frozen=True, kw_only=True):
    """An arm whose meaning is known: its own condition, and the scope's, which both arms share."""

    asked: str
    kind: str
    own: Filter
    shared: Filter | None = None
    note: str | None = None

    @property
    def tree(self) -> Filter:
        """The whole condition."""
        return all_of(self.own, self.shared)

    @property
    def finished(self) -> Filter:
        """Which of its traces are compared."""
        return all_of(self.tree, Comparison(_STATE, "!=", (_UNFINISHED,)))

    @property
    def unfinished(self) -> Filter:
        """Which of its traces have not ended."""
        return all_of(self.tree, Comparison(_STATE, "=", (_UNFINISHED,)))


def all_of(*parts: Filter | None) -> Filter:
    """Return the conjunction, without ANDs inside of it; span conditions stay together."""
    flat: list[Filter] = []
    for part in parts:
        if isinstance(part, And) and not any(map(is_about_span, part.operands)):
            flat += part.operands
        elif isinstance(part, And) or (part is not None and is_about_span(part)):
            # Its spans are the same one; a conjunction with another's would say more.
            flat.append(part if isinstance(part, And) else And((part,)))
        elif part is not None:
            flat.append(part)
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def begin_at(arm: NamedArm, since_ms: int) -> NamedArm:
    """Return the arm without its traces from before a time."""
    later = Comparison(_TIME, ">=", (float(since_ms),))
    return msgspec.structs.replace(arm, own=all_of(arm.own, later))


def show_filter(tree: Filter) -> str:
    """Return a filter's text. Raises InvalidInputError where no text can say it."""
    try:
        return render(tree)
    except ValueError as error:
        raise InvalidInputError(f"this can't be compared: {error}") from None


# --- What a text means ----------------------------------------------------------------------------


def name_arms(
    store: Store, scope: Scope, baseline: str | None, candidate: str | None
) -> tuple[NamedArm, NamedArm]:
    """Return both arms. Raises InvalidInputError where one is not named and none can be found.

    Without a candidate it is the newest version; without a baseline the one that `choose_baseline`
    finds.
    """
    shared = read_scope(store, scope)
    note = None
    if candidate is None:
        candidate, note = find_newest(store, scope), "the candidate is the newest version"
    other = _name_arm(store, scope, shared, candidate, "candidate", note)
    note = None
    if baseline is None:
        baseline, note = choose_baseline(store, scope, other)
    return _name_arm(store, scope, shared, baseline, "baseline", note), other


def read_scope(store: Store, scope: Scope) -> Filter | None:
    """Return the conditions that both arms share. Raises FilterError for a bad filter."""
    parts: list[Filter | None] = []
    if scope.environment is not None:
        named = normalise_environment(scope.environment, scope.aliases)
        parts.append(Comparison(ENVIRONMENT, "=", (named,)))
    parts.append(_read_filter(store, scope.filter_string, scope.aliases))
    if scope.since_ms is not None:
        parts.append(Comparison(_TIME, ">=", (float(scope.since_ms),)))
    if scope.until_ms is not None:
        parts.append(Comparison(_TIME, "<", (float(scope.until_ms),)))
    return all_of(*parts) if any(part is not None for part in parts) else None


def _read_filter(store: Store, text: str | None, aliases: Mapping[str, str]) -> Filter | None:
    tree = parse_filter(text)
    if tree is None:
        return None
    for pattern, column in patterns(tree):
        check_pattern(store, pattern, column)
    return normalise_environments(tree, aliases)


def _name_arm(
    store: Store, scope: Scope, shared: Filter | None, text: str, role: str, note: str | None
) -> NamedArm:
    text = text.strip()
    if not text:
        raise InvalidInputError(
            f"the {role} is empty; name a version, a commit, a branch or a filter"
        )
    found = _PREFIXED.fullmatch(text)
    kind, value = (PREFIXES[found[1]], found[2].strip()) if found else ("", text)
    if not kind:
        kind = "filter" if _is_filter(text) else _find_kind(store, shared, scope, text)
    own: Filter | None
    if kind == "filter":
        own = _read_filter(store, value, scope.aliases)
        if own is None:
            raise InvalidInputError(f"the {role}'s filter is empty")
    elif kind == "commit":
        own = Comparison(FIELD_OF_KIND[kind], "LIKE", (f"{_check_hex(value, kind, role)}%",))
    elif kind == "manifest":
        own = _manifest(store, _check_hex(value, kind, role), role)
    else:
        own = Comparison(FIELD_OF_KIND[kind], "=", (value,))
    return NamedArm(asked=value, kind=kind, own=own, shared=shared, note=note)


def _is_filter(text: str) -> bool:
    try:
        return parse_filter(text) is not None
    except FilterError:
        return False


def _check_hex(value: str, kind: str, role: str) -> str:
    if not _HEX.fullmatch(value):
        raise InvalidInputError(
            f"the {role}'s {kind} {value!r} is not one: 7 to 64 hex digits are asked for"
        )
    return value


def _manifest(store: Store, digits: str, role: str) -> Filter:
    """Return the condition of a manifest by the beginning of its digest."""
    field = FIELD_OF_KIND["manifest"]
    digests = [digits] if len(digits) == _WHOLE else find_hashes(store, MANIFEST_DOCUMENT, digits)
    if len(digests) > 1:
        raise InvalidInputError(
            f"the {role}'s manifest {digits!r} begins more than one: {', '.join(digests)}; give "
            "more of it"
        )
    if digests:
        return Comparison(field, "=", (digests[0],))
    return Comparison(field, "LIKE", (f"{digits}%",))  # named by traces that did not send it


def _find_kind(store: Store, shared: Filter | None, scope: Scope, text: str) -> str:
    """Return the first kind under which there are traces of this name."""
    parameters = Parameters()
    conditions = {"app_version": f"app_version = {parameters.bind(text)}"}
    if _HEX.fullmatch(text):
        conditions["commit"] = f"startsWith(commit, {parameters.bind(text)})"
        conditions["manifest"] = f"startsWith({_MANIFEST}, {parameters.bind(text)})"
    conditions["branch"] = f"branch = {parameters.bind(text)}"
    counts = ", ".join(f"countIf({one})" for one in conditions.values())
    columns = "app_version, commit, branch"
    if "manifest" in conditions:
        columns += f", metadata['{MANIFEST}'] AS {_MANIFEST}"
    where = condition_of(_without_spans(shared), scope, parameters)
    rows = store.query(
        f"SELECT {counts}\nFROM (SELECT {columns} FROM traces WHERE {where}\n"
        f"UNION ALL SELECT {columns} FROM open_traces WHERE {where})",
        parameters.values,
        settings=SETTINGS,
    ).rows
    seen = dict(zip(conditions, rows[0] if rows else (), strict=False))
    if seen.get("app_version"):
        return "app_version"
    return next((kind for kind, count in seen.items() if count), "app_version")


def _without_spans(tree: Filter | None) -> Filter | None:
    """Leave a filter out that reads spans: what a name means does not hang on it."""
    if tree is None or any(
        one.field.kind not in ("attribute", "metadata") for one in comparisons(tree)
    ):
        return None
    return tree
