"""`order_by` → the columns that a search is sorted by, and the condition "after this position".

A clause is `field [ASC|DESC]`. NULL comes last in both directions; text sorts by its bytes, the
bare field `app_version` as versions. The last word is always `timestamp DESC, trace_id ASC`, so
every trace has a position of its own: the values of all columns, which a cursor carries.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from whence import semconv
from whence.errors import FilterError
from whence.query import versions
from whence.query.compile import MILLISECONDS, effective_tag_base, metadata
from whence.query.parser import read_name, tokenize
from whence.query.vocabulary import ATTRIBUTES, Field

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from whence.query.compile import Parameters

Position = tuple[Any, ...]
MAX_INT64 = 2**63 - 1

_EXPERIMENT = Field("attribute", "experiment_id")
# What can be sorted by, and which keys of it can't.
_UNSORTABLE: dict[str, tuple[str, ...]] = {
    "attribute": ("client_request_id", "prompt"),
    "metadata": (semconv.TOKEN_USAGE, semconv.COST),
    "tag": (),
}


@dataclass(frozen=True)
class Term:
    """One clause of `order_by`."""

    field: Field
    descending: bool


@dataclass(frozen=True)
class SortColumn:
    """A column to sort by: its SQL, the engine's type, and whether it may be NULL."""

    sql: str
    kind: str
    descending: bool = False
    nullable: bool = False


@dataclass(frozen=True)
class Order:
    """The sort columns of one statement, and the joins that they need."""

    columns: tuple[SortColumn, ...]
    joins: str = ""

    @property
    def selected(self) -> str:
        """SQL that selects the position, as o0, o1 and so on."""
        return ", ".join(f"{one.sql} AS o{index}" for index, one in enumerate(self.columns))

    @property
    def clause(self) -> str:
        """SQL for ORDER BY."""
        return ", ".join(
            f"o{index} {'DESC' if one.descending else 'ASC'}{' NULLS LAST' * one.nullable}"
            for index, one in enumerate(self.columns)
        )


DEFAULT = (Term(Field("attribute", "timestamp_ms"), descending=True),)


def parse_order(clauses: Sequence[str] | None) -> tuple[Term, ...]:
    """Read `order_by`; nothing means newest first. Raises FilterError, with a column."""
    terms: list[Term] = []
    for clause in clauses or ():
        term = _parse_clause(clause)
        if any(term.field == earlier.field for earlier in terms):
            raise FilterError(f"order_by names the field of {clause!r} twice")
        terms.append(term)
    return tuple(terms) or DEFAULT


def _parse_clause(clause: str) -> Term:
    tokens = tokenize(clause)
    if not tokens:
        raise FilterError("an order_by clause is empty", column=1)
    if tokens[0].text == "experiment_id":
        found, stop = _EXPERIMENT, 1
    else:
        found, stop = read_name(clause, tokens, 0)
    rest = [token.text.upper() for token in tokens[stop:]]
    if rest not in ([], ["ASC"], ["DESC"]):
        raise FilterError(
            f"can't read {clause!r} of order_by after its field: expected ASC or DESC, "
            "and one field a clause",
            column=tokens[stop].start + 1,
        )
    if found.key in _UNSORTABLE.get(found.kind, (found.key,)):
        fields = ", ".join(name for name in ATTRIBUTES if name not in _UNSORTABLE["attribute"])
        raise FilterError(
            f"can't sort by {clause!r}; sort by {fields}, experiment_id, metadata.… or tags.…",
            column=tokens[0].start + 1,
        )
    return Term(found, rest == ["DESC"])


def compile_order(terms: tuple[Term, ...], parameters: Parameters) -> Order:
    """Return the sort columns in SQL, ending with the time and the trace id."""
    columns: list[SortColumn] = []
    joins: list[str] = []
    for term in terms:
        columns += _columns(term, parameters, joins)
    newest = SortColumn("-request_time_ms", "Int64")
    if newest not in columns:
        columns.append(newest)
    trace_id = SortColumn("trace_id", "String")
    if trace_id not in columns:
        columns.append(trace_id)
    return Order(tuple(columns), "".join(joins))


def _columns(term: Term, parameters: Parameters, joins: list[str]) -> list[SortColumn]:
    key, down = term.field.key, term.descending
    if term.field.kind == "metadata":
        return [SortColumn(_entry(key, parameters), "String", down, nullable=True)]
    if term.field.kind == "tag":
        return [SortColumn(_join_tag(key, parameters, joins), "String", down, nullable=True)]
    return _attribute_columns(key, down, parameters, joins)


def _attribute_columns(
    key: str, down: bool, parameters: Parameters, joins: list[str]
) -> list[SortColumn]:
    if key == "timestamp_ms":
        return [SortColumn("-request_time_ms" if down else "request_time_ms", "Int64")]
    if key in MILLISECONDS:
        return [SortColumn(MILLISECONDS[key], "Int64", down, nullable=True)]
    if key in ("state", "trace_id", "experiment_id"):
        return [SortColumn(key, "String", down)]
    texts = [key]
    if key == "name":
        texts = [_join_tag(semconv.TRACE_NAME_TAG, parameters, joins)]
    elif key == "run_id":
        texts = [_entry(semconv.SOURCE_RUN, parameters)]
    elif key == "app_version":
        version = versions.sort_key_sql("assumeNotNull(app_version)")
        texts = [f"if(isNotNull(app_version), {version}, NULL)", key]
    return [SortColumn(text, "String", down, nullable=True) for text in texts]


def _entry(key: str, parameters: Parameters) -> str:
    operand = metadata(key, parameters)
    return operand.column or f"if({operand.present}, {operand.text}, NULL)"


def _join_tag(key: str, parameters: Parameters, joins: list[str]) -> str:
    """Join the last writes of a tag, and return SQL for its effective value."""
    name = f"t{len(joins)}"
    joins.append(
        f"\nLEFT ANY JOIN\n(\n    SELECT trace_id AS {name}_trace_id, value AS {name}_value, "
        f"deleted AS {name}_deleted, 1 AS {name}_written\n    FROM tags FINAL\n"
        f"    WHERE key = {parameters.bind(key)}\n) AS {name} ON trace_id = {name}_trace_id"
    )
    base = effective_tag_base(key, parameters)
    initial = base.column or f"if({base.present}, {base.text}, NULL)"
    written = f"if({name}_deleted = 1, NULL, {name}_value)"
    return f"if({name}_written = 1, {written}, {initial})"


def after(order: Order, position: Position, parameters: Parameters) -> str:
    """Return the condition that a row comes after a position."""
    condition = "0"
    for column, value in reversed(list(zip(order.columns, position, strict=True))):
        condition = _after_column(column, value, condition, parameters)
    first, value = order.columns[0], position[0]
    if value is not None and not first.nullable:
        # In the words of the sorting key, so that the engine skips what lies before.
        operator = "<=" if first.descending else ">="
        condition = f"({first.sql} {operator} {parameters.bind(value, first.kind)} AND {condition})"
    return condition


def fits(order: Order, position: Sequence[object]) -> bool:
    """Tell whether these values may be a position in this order."""
    return len(position) == len(order.columns) and all(
        _is_of(column, value) for column, value in zip(order.columns, position, strict=True)
    )


def _is_of(column: SortColumn, value: object) -> bool:
    if value is None:
        return column.nullable
    if column.kind == "Int64":
        return isinstance(value, int) and -MAX_INT64 <= value <= MAX_INT64
    return isinstance(value, str)


def _after_column(column: SortColumn, value: object, rest: str, parameters: Parameters) -> str:
    if value is None:
        return f"(isNull({column.sql}) AND {rest})"
    bound = parameters.bind(value, column.kind)
    past = f"{column.sql} {'<' if column.descending else '>'} {bound}"
    same = f"({column.sql} = {bound} AND {rest})"
    beyond = f" OR isNull({column.sql})" if column.nullable else ""
    return f"({past}{beyond} OR {same})"


def sort_key_of(order: Order) -> Callable[[Position], Any]:
    """Return a key for `sorted` that sorts positions as the engine does."""

    def compare(left: Position, right: Position) -> int:
        for column, one, other in zip(order.columns, left, right, strict=True):
            if one == other:
                continue
            if one is None or other is None:
                return 1 if one is None else -1
            return 1 if (one > other) is not column.descending else -1
        return 0

    return cmp_to_key(compare)
