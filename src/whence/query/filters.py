"""What a filter is: a frozen tree of comparisons, and how it reads as text.

Meaning (the compiler and `tests/query/reference.py` both follow it):

- Two-valued: a comparison on a missing key is false, also `!=`, `NOT IN` and `NOT LIKE`; `Not` is
  the Boolean complement.
- The span comparisons that are direct operands of one `And` hold for the same span. Parentheses
  open a group of their own: `And` with one operand is such a group around one span comparison.
- A text literal compares as text with `=`, `!=`, `IN`, and as a version with `<  <=  >  >=`; a
  number literal compares numerically where the stored text is a finite plain decimal, and is false
  elsewhere. `x IN (a, b)` is `x = a OR x = b`; `x NOT IN (a, b)` is `x != a AND x != b`.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from whence.query.vocabulary import Field, Operator

Literal = str | float

# What the parser reads as a key without quotes.
BARE_KEY = re.compile(r"[\w.]+")


@dataclass(frozen=True)
class Comparison:
    """`field operator values`: no value for IS [NOT] NULL, one or more for [NOT] IN, else one.

    `column` is where it starts in the text, from 1; it does not take part in equality.
    """

    field: Field
    operator: Operator
    values: tuple[Literal, ...] = ()
    column: int = dataclasses.field(default=1, compare=False, repr=False)


@dataclass(frozen=True)
class Not:
    """True exactly where the operand is false."""

    operand: Filter


@dataclass(frozen=True)
class And:
    """All operands; the span comparisons among them hold for the same span."""

    operands: tuple[Filter, ...]


@dataclass(frozen=True)
class Or:
    """At least one operand."""

    operands: tuple[Filter, ...]


Filter = Comparison | Not | And | Or


def is_about_span(part: Filter) -> bool:
    """Tell whether a part of an `And` speaks of the span that the other parts speak of."""
    return isinstance(part, Comparison) and part.field.kind in ("span", "span_attribute")


def comparisons(tree: Filter) -> Iterator[Comparison]:
    """Yield every comparison, in the order of the text."""
    if isinstance(tree, Comparison):
        yield tree
    elif isinstance(tree, Not):
        yield from comparisons(tree.operand)
    else:
        for operand in tree.operands:
            yield from comparisons(operand)


def render(tree: Filter) -> str:
    """Return text that parses to an equal filter.

    Raises ValueError for a text that has both kinds of quotes: the language has no escapes.
    """
    if isinstance(tree, Comparison):
        return _render_comparison(tree)
    if isinstance(tree, Not):
        return f"NOT {_render_operand(tree.operand)}"
    if isinstance(tree, And) and len(tree.operands) == 1:
        return f"({render(tree.operands[0])})"
    word = " AND " if isinstance(tree, And) else " OR "
    return word.join(_render_operand(operand) for operand in tree.operands)


def render_field(named: Field) -> str:
    """Return a field as a filter names it, its key quoted where it must be."""
    if named.kind == "attribute":
        return named.key
    if named.kind in ("span", "issue"):
        return f"{named.kind}.{named.key}"
    prefix = {"tag": "tags", "span_attribute": "span.attributes"}.get(named.kind, named.kind)
    if BARE_KEY.fullmatch(named.key):
        return f"{prefix}.{named.key}"
    return f"{prefix}.`{named.key.replace('`', '``')}`"


def _render_operand(tree: Filter) -> str:
    text = render(tree)
    grouped = isinstance(tree, And) and len(tree.operands) == 1
    return text if grouped or isinstance(tree, (Comparison, Not)) else f"({text})"


def _render_comparison(one: Comparison) -> str:
    if not one.values:
        return f"{render_field(one.field)} {one.operator}"
    texts = [_render_literal(value) for value in one.values]
    listed = f"({', '.join(texts)})" if one.operator in ("IN", "NOT IN") else texts[0]
    return f"{render_field(one.field)} {one.operator} {listed}"


def _render_literal(value: Literal) -> str:
    if isinstance(value, float):
        return repr(value)
    quote = '"' if "'" in value else "'"
    if quote in value:
        raise ValueError("a text with both kinds of quotes can't be written in a filter")
    return f"{quote}{value}{quote}"
