"""Find experiments: a filter, an order, pages.

The filter language is that of traces, over `name`, `experiment_id`, `creation_time`,
`last_update_time` (milliseconds, or a date in quotes) and `tags.<key>`. There are few experiments,
so they are all read and compared here. A comparison on a missing tag is false, also `!=`.

Limit: no regular expressions, because Python's may take for ever.
"""

from __future__ import annotations

import base64
import binascii
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

import msgspec

from whence.errors import FilterError, InvalidInputError
from whence.query.filters import And, Comparison, Filter, Not
from whence.query.parser import parse_filter, read_name, tokenize
from whence.query.vocabulary import EXPERIMENTS
from whence.store.experiments import read_experiments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.store.connection import Store
    from whence.store.rows import ExperimentRow

View = Literal["active", "deleted", "all"]
Position = tuple[str | int, ...]

_TIMES = ("creation_time", "last_update_time")
_ID_DIGITS = 40  # ids are compared as numbers: as text of one length


class Term(msgspec.Struct, frozen=True):
    """One clause of `order_by`."""

    key: str
    descending: bool


class ExperimentPage(msgspec.Struct, frozen=True):
    """Experiments in their order, and the token of the next page, None on the last."""

    experiments: list[ExperimentRow]
    next_token: str | None


DEFAULT = (Term("creation_time", descending=True),)


def find_experiments(
    store: Store,
    *,
    filter_string: str | None = None,
    order_by: Sequence[str] | None = None,
    view: View = "active",
    max_results: int | None = None,
    page_token: str | None = None,
) -> ExperimentPage:
    """Return the experiments that a filter finds, the newest first unless told otherwise.

    Raises FilterError for a bad filter or order, InvalidInputError for a bad token.
    """
    tree = parse_filter(filter_string, EXPERIMENTS)
    terms = tuple(_read_term(clause) for clause in order_by or ()) or DEFAULT
    found = [
        row
        for row in read_experiments(store)
        if view in ("all", row.lifecycle_stage) and (tree is None or _holds(tree, row))
    ]
    found.sort(key=partial(_value, key="experiment_id"))
    for term in reversed(terms):
        found.sort(key=partial(_value, key=term.key), reverse=term.descending)
    mark = _digest(filter_string, terms, view)
    if page_token:
        position = _read_token(page_token, mark, terms)
        found = [row for row in found if _is_after(_position(row, terms), position, terms)]
    if max_results is None or len(found) <= max_results:
        return ExperimentPage(found, None)
    shown = found[:max_results]
    return ExperimentPage(shown, _write_token(mark, _position(shown[-1], terms)))


# --- Filter ---------------------------------------------------------------------------------------


def _holds(tree: Filter, row: ExperimentRow) -> bool:
    if isinstance(tree, Comparison):
        return _compare(tree, row)
    if isinstance(tree, Not):
        return not _holds(tree.operand, row)
    every = isinstance(tree, And)
    return (all if every else any)(_holds(one, row) for one in tree.operands)


def _compare(one: Comparison, row: ExperimentRow) -> bool:
    value: str | int | None
    if one.field.kind == "experiment_tag":
        value = row.tags.get(one.field.key)
    else:
        value = _stored(row, one.field.key)
    if one.operator in ("IS NULL", "IS NOT NULL"):
        return (value is None) is (one.operator == "IS NULL")
    if value is None:
        return False
    if isinstance(value, int):
        return _compare_number(value, one)
    return _compare_text(value, one)


def _compare_number(value: int, one: Comparison) -> bool:
    numbers = [float(each) for each in one.values]
    outcomes = {
        "=": value == numbers[0],
        "!=": value != numbers[0],
        "<": value < numbers[0],
        "<=": value <= numbers[0],
        ">": value > numbers[0],
        ">=": value >= numbers[0],
        "IN": value in numbers,
        "NOT IN": value not in numbers,
    }
    return outcomes[one.operator]


def _compare_text(value: str, one: Comparison) -> bool:
    texts = [str(each) for each in one.values]
    operator = one.operator.removeprefix("NOT ")
    if operator in ("=", "!=", "IN"):
        found = value in texts
        return found is not (operator == "!=" or one.operator == "NOT IN")
    pattern = texts[0]
    if operator == "ILIKE":
        value, pattern = value.lower(), pattern.lower()
    return is_like(value, pattern) is (operator == one.operator)


def is_like(text: str, pattern: str) -> bool:
    """Tell whether a text fits: `%` is any text, `_` one character. Never slower than len * len.

    >>> is_like("support-bot", "%bot"), is_like("bot", "b_"), is_like("a%b", "a%%b")
    (True, False, True)
    """
    at = behind = mark = 0
    star = -1
    while at < len(text):
        if behind < len(pattern) and pattern[behind] == "%":
            star, mark = behind, at
            behind += 1
        elif behind < len(pattern) and pattern[behind] in ("_", text[at]):
            at += 1
            behind += 1
        elif star >= 0:
            mark += 1
            at, behind = mark, star + 1
        else:
            return False
    return not pattern[behind:].strip("%")


# --- Order and pages ------------------------------------------------------------------------------


def _read_term(clause: str) -> Term:
    tokens = tokenize(clause)
    if not tokens:
        raise FilterError("an order_by clause is empty", column=1)
    found, stop = read_name(clause, tokens, 0, EXPERIMENTS)
    rest = [token.text.upper() for token in tokens[stop:]]
    if rest not in ([], ["ASC"], ["DESC"]) or found.kind != "experiment":
        raise FilterError(
            f"can't read {clause!r} of order_by; write one of {', '.join(EXPERIMENTS.fields)}, "
            "then ASC or DESC",
            column=1,
        )
    return Term(found.key, rest == ["DESC"])


def _stored(row: ExperimentRow, key: str) -> str | int:
    if key == "creation_time":
        return row.created_ms
    if key == "last_update_time":
        return row.updated_ms
    return row.name if key == "name" else row.experiment_id


def _value(row: ExperimentRow, key: str) -> str | int:
    stored = _stored(row, key)
    return str(stored).rjust(_ID_DIGITS, "0") if key == "experiment_id" else stored


def _position(row: ExperimentRow, terms: tuple[Term, ...]) -> Position:
    return (*(_value(row, term.key) for term in terms), _value(row, "experiment_id"))


def _is_after(position: Position, other: Position, terms: tuple[Term, ...]) -> bool:
    directions = (*(term.descending for term in terms), False)
    for one, mark, descending in zip(position, other, directions, strict=True):
        if one != mark:
            return (one > mark) is not descending  # type: ignore[operator] # one kind in a column
    return False


def _digest(filter_string: str | None, terms: tuple[Term, ...], view: View) -> str:
    said = msgspec.json.encode([filter_string or "", terms, view])
    return blake2b(said, digest_size=8).hexdigest()


def _write_token(mark: str, position: Position) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([mark, position])).decode()


def _read_token(token: str, mark: str, terms: tuple[Term, ...]) -> Position:
    try:
        text = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
        given, values = msgspec.json.decode(text, type=tuple[str, list[str | int]])
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise InvalidInputError(
            "Invalid page token, could not base64-decode; start again without one"
        ) from error
    kinds = [int if term.key in _TIMES else str for term in terms]
    if given != mark or [type(value) for value in values] != [*kinds, str]:
        raise InvalidInputError(
            "this page token belongs to another search; start again without one"
        )
    return tuple(values)
