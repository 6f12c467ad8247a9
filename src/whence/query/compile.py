"""`Filter` → a ClickHouse condition over a row of `traces` or `open_traces`; values are parameters.

A condition is true, or false, or NULL for false: missing columns are NULL, and only under a NOT
does NULL have to become false. So comparisons stay bare where an index may help them.

Two strengths. With `among` (SQL that says which trace ids are asked about) the condition is exact.
Without it, spans are read as they lie, superseded versions too, wherever that can only find *more*
(without `spans`, they are not read at all): then every trace that matches is found, and each
finding must be tested again exactly.

Environments are compared as they are: `environments` gives the literals their canonical form.

Limit: `NOT` of a span condition, without `among`, reads the newest versions of all spans.
"""

from __future__ import annotations

import math
import re
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from whence import semconv
from whence.query import versions
from whence.query.filters import (
    And,
    Comparison,
    Filter,
    Literal,
    Not,
    Or,
    comparisons,
    is_about_span,
)
from whence.query.vocabulary import EQUALITY, ORDERING, Operator

if TYPE_CHECKING:
    from collections.abc import Iterator

# For every query that carries a filter: texts that look like numbers are read exactly, and there is
# room for as many version comparisons as the parser takes (1.5 kB of SQL each).
# Its cache of conditions is left alone: filters seldom repeat, and each would take its place in it.
# Indexes are asked before reading: asked beside it, each range of granules takes 0.05 ms more.
SETTINGS = {
    "use_query_condition_cache": 0,
    "use_skip_indexes_on_data_read": 0,
    "precise_float_parsing": 1,
    "max_query_size": 4_000_000,
    "max_ast_elements": 500_000,
}

_BARE_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_DECIMAL = r"^[+-]?(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+)"
_PLAIN = f"'{_DECIMAL}$'"
_WITH_EXPONENT = f"'{_DECIMAL}(?:[eE][+-]?[0-9]+)?$'"
_INT64_MAX = 2**63 - 1

# Bare fields that are columns of `traces`. No filter says `trace_name`: it is what `name` becomes
# where no tag can have changed it (`coverage.ask`).
_COLUMNS = (
    "trace_name",
    "environment",
    "app_version",
    "commit",
    "branch",
    "session",
    "user",
    "client_request_id",
    "request_preview",
    "response_preview",
)
# Bare fields that are another word for a metadata key.
_METADATA_OF_FIELD = {
    "run_id": semconv.SOURCE_RUN,
    "dirty": semconv.GIT_DIRTY,
    "dirty_hash": semconv.GIT_DIRTY_HASH,
}
# Span attributes that the store keeps in columns.
_SPAN_COLUMNS = {
    semconv.INPUTS: "inputs",
    semconv.MLFLOW_INPUTS: "inputs",
    semconv.OUTPUTS: "outputs",
    semconv.MLFLOW_OUTPUTS: "outputs",
    semconv.SPAN_TYPE: "span_type",
}
_SPAN_CONTENT = """concat(
    name, '\\n', span_type, '\\n', status_message, '\\n', inputs, '\\n', outputs, '\\n',
    arrayStringConcat(arrayMap(
        (k, v) -> concat('"', k, '": ', v, '\\n'), mapKeys(attributes), mapValues(attributes))),
    events)"""
MILLISECONDS = {
    "timestamp_ms": "request_time_ms",
    "execution_time_ms": "intDiv(duration_ns, 1000000)",
    "end_time_ms": "(request_time_ms + intDiv(duration_ns, 1000000))",
}

# The entries of `metadata`, in the words of the index `by_metadata` (store/schema/0003_search.sql).
PAIRS = """arrayMap(
    (k, v) -> concat(toString(length(k)), ':', k, substring(v, 1, 256)),
    mapKeys(metadata), mapValues(metadata))"""
MAX_PAIR_VALUE_BYTES = 256
MAX_PAIRS = 16  # of one IN
# A run of letters and digits lies within one word of a preview; the engine looks for words that
# contain it where it has four characters or more.
_RUN = re.compile(r"[0-9A-Za-z]{4,}")
_INDEXED_TEXTS = ("request_preview", "response_preview")


@dataclass
class Parameters:
    """The values of a statement, by the names that its placeholders have."""

    values: dict[str, Any] = field(default_factory=dict)

    def bind(self, value: object, kind: str = "String") -> str:
        """Keep a value and return its placeholder."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"{{{name}:{kind}}}"


@dataclass(frozen=True)
class Operand:
    """One side of a comparison: SQL of a text, and SQL that says whether it is there.

    `column` is the bare column where there is one, NULL when absent; it can use indexes. `key` is
    the key of an entry of `metadata`, which the index of the map's entries can find.
    """

    text: str
    present: str | None = None
    column: str | None = None
    exponents: bool = False
    key: str | None = None


def compile_filter(
    tree: Filter | None, parameters: Parameters, *, among: str | None = None, spans: bool = True
) -> str:
    """Return the condition; it is true for every trace where `tree` is None.

    Without `spans`, whatever is said of spans counts as true: more is found, at once.
    """
    return "1" if tree is None else _Compiler(parameters, among, spans=spans).condition(tree)


def set_costly_apart(tree: Filter | None) -> tuple[Filter | None, Filter | None]:
    """Return what is quickly told of a row, and what takes long: both must hold."""
    if not isinstance(tree, And):
        return tree, None
    costly = tuple(one for one in tree.operands if _is_costly(one))
    quick = tuple(one for one in tree.operands if one not in costly)
    return (And(quick), And(costly)) if quick and costly else (tree, None)


def _is_costly(one: Filter) -> bool:
    """Tell whether a text is compared as a version, as a number or with a regular expression."""
    if not isinstance(one, Comparison) or one.field.kind not in ("attribute", "metadata"):
        return False
    if one.operator in ("RLIKE", "NOT RLIKE"):
        return True
    return one.operator in ORDERING and (
        one.field.kind == "metadata" or isinstance(one.values[0], str)
    )


def patterns(tree: Filter | None) -> Iterator[tuple[str, int]]:
    """Yield (regular expression as the engine gets it, column of its comparison)."""
    for one in comparisons(tree) if tree is not None else ():
        if one.operator in ("RLIKE", "NOT RLIKE"):
            yield _regular(one.values[0]), one.column


def effective_tag_base(key: str, parameters: Parameters) -> Operand:
    """Return what a tag is where no later write has changed it."""
    if key == semconv.TRACE_NAME_TAG:
        return nullable("trace_name")
    return in_map("tags", key, parameters)


def metadata(key: str, parameters: Parameters) -> Operand:
    """Return a metadata key: its column where it has one, else its entry in the map."""
    column = semconv.COLUMN_OF_METADATA.get(key)
    if column:
        return nullable(column)
    return replace(in_map("metadata", key, parameters), key=key)


def nullable(column: str) -> Operand:
    """Return a column that is NULL when absent."""
    return Operand(f"assumeNotNull({column})", f"isNotNull({column})", column)


def in_map(name: str, key: str, parameters: Parameters) -> Operand:
    """Return an entry of a map column."""
    bound = parameters.bind(key)
    return Operand(f"{name}[{bound}]", f"mapContains({name}, {bound})")


def _json_text(value: str) -> str:
    """Return SQL for the text of a JSON value: a string without its quotes, all else as it is."""
    return f"if(startsWith({value}, '\"'), JSONExtractString({value}), {value})"


def _regular(value: Literal) -> str:
    return f"(?-s){value}"


class _Compiler:
    def __init__(self, parameters: Parameters, among: str | None, *, spans: bool) -> None:
        self.parameters = parameters
        self.among = among
        self.spans = spans
        self.negated = False

    # --- Logic ---------------------------------------------------------------------------

    def condition(self, tree: Filter) -> str:
        if isinstance(tree, Not):
            with self.flip():
                return f"NOT ifNull({self.condition(tree.operand)}, 0)"
        if isinstance(tree, Or):
            return "(" + " OR ".join(map(self.condition, tree.operands)) + ")"
        operands = tree.operands if isinstance(tree, And) else (tree,)
        of_span = [one for one in operands if isinstance(one, Comparison) and is_about_span(one)]
        parts = [
            self.comparison(one) if isinstance(one, Comparison) else self.condition(one)
            for one in operands
            if one not in of_span
        ]
        if of_span:
            parts.append(self.same_span(of_span))
        return "(" + " AND ".join(parts) + ")"

    @contextmanager
    def flip(self) -> Iterator[None]:
        self.negated = not self.negated
        yield
        self.negated = not self.negated

    # --- Which table ---------------------------------------------------------------------

    def comparison(self, one: Comparison) -> str:
        kind, key = one.field.kind, one.field.key
        if kind == "metadata":
            return self.test(one, metadata(key, self.parameters))
        if kind == "tag":
            return self.tag(one, key)
        if kind in ("feedback", "expectation"):
            return self.judgement(one)
        if kind == "issue":
            ids = self.parameters.bind(list(one.values), "Array(String)")
            return self.in_assessments(f"kind = 'issue' AND name IN {ids}")
        return self.attribute(one, key)

    def attribute(self, one: Comparison, key: str) -> str:
        special = {
            "timestamp_ms": self.time,
            "trace_id": self.trace_id,
            "prompt": self.prompt,
        }
        if key in special:
            return special[key](one)
        if key in MILLISECONDS:
            return self.number(one, MILLISECONDS[key])
        if key == "name":
            return self.tag(one, semconv.TRACE_NAME_TAG)
        return self.test(one, self.attribute_operand(key))

    def attribute_operand(self, key: str) -> Operand:
        if key in _METADATA_OF_FIELD:
            return metadata(_METADATA_OF_FIELD[key], self.parameters)
        return nullable(key) if key in _COLUMNS else Operand(key)

    def same_span(self, conditions: list[Comparison]) -> str:
        """Return: one span satisfies all of them."""
        if not self.spans:
            return "0" if self.negated else "1"
        exact = self.among is not None or self.negated
        tests = [self.test(one, self.span_operand(one)) for one in conditions]
        return self.in_table("spans" + (" FINAL" if exact else ""), " AND ".join(tests))

    def span_operand(self, one: Comparison) -> Operand:
        key = one.field.key
        if one.field.kind == "span":
            return Operand({"type": "span_type", "content": _SPAN_CONTENT}.get(key, key))
        if key in _SPAN_COLUMNS:
            column = _SPAN_COLUMNS[key]
            return Operand(column, f"{column} != ''")
        entry = in_map("attributes", key, self.parameters)
        return Operand(_json_text(entry.text), entry.present, exponents=True)

    def judgement(self, one: Comparison) -> str:
        kind, name = self.parameters.bind(one.field.kind), self.parameters.bind(one.field.key)
        chosen = f"kind = {kind} AND name = {name} AND valid = 1"
        if one.operator == "IS NULL":
            return f"NOT {self.in_assessments(chosen)}"
        test = self.test(one, Operand(_json_text("value"), exponents=True))
        return self.in_assessments(f"{chosen} AND {test}")

    def in_assessments(self, condition: str) -> str:
        return self.in_table("assessments FINAL", f"deleted = 0 AND {condition}")

    def tag(self, one: Comparison, key: str) -> str:
        if one.operator == "IS NULL":
            present = Comparison(one.field, "IS NOT NULL")
            return f"NOT ifNull({self.tag(present, key)}, 0)"
        base = self.test(one, effective_tag_base(key, self.parameters))
        return self.overlaid(key, base, self.test(one, Operand("value")))

    def overlaid(self, key: str, base: str, written: str) -> str:
        """Return: the last write of a tag satisfies `written`, or without one, `base` holds."""
        chosen = f"key = {self.parameters.bind(key)}"
        never = f"NOT {self.in_table('tags FINAL', chosen)}"
        now = self.in_table("tags FINAL", f"{chosen} AND deleted = 0 AND {written}")
        return f"(({base} AND {never}) OR {now})"

    def prompt(self, one: Comparison) -> str:
        wanted = self.parameters.bind(list(one.values), "Array(String)")
        base = in_map("tags", semconv.LINKED_PROMPTS_TAG, self.parameters)

        def linked(text: str) -> str:
            version = "trim(BOTH '\"' FROM JSONExtractRaw(item, 'version'))"
            link = f"concat(JSONExtractString(item, 'name'), '/', {version})"
            return f"arrayExists(item -> {link} IN {wanted}, JSONExtractArrayRaw({text}))"

        return self.overlaid(semconv.LINKED_PROMPTS_TAG, linked(base.text), linked("value"))

    def in_table(self, table: str, condition: str) -> str:
        among = f"{self.among} AND " if self.among else ""
        return f"trace_id IN (SELECT trace_id FROM {table} WHERE {among}{condition})"

    # --- Comparisons ---------------------------------------------------------------------

    def test(self, one: Comparison, operand: Operand) -> str:
        """Compare a text; present and NULL-safe operands give 0 or 1, bare columns NULL as well."""
        operator = one.operator
        if operator in ("IS NULL", "IS NOT NULL"):
            present = operand.present or "1"
            return f"NOT ({present})" if operator == "IS NULL" else f"({present})"
        if operand.column and operator in EQUALITY and not _numbers(one):
            return self.texts(operand.column, operator, list(one.values))
        if operand.key is not None and operator in ("=", "IN") and _are_short(one.values):
            return self.entries(operand.key, one.values)
        if operand.column in _INDEXED_TEXTS and operator in ("LIKE", "ILIKE"):
            return self.words(operand.column, operator, str(one.values[0]))
        tests = self.tests(operand, operator, one.values)
        return f"({operand.present} AND {tests})" if operand.present else tests

    def entries(self, key: str, values: tuple[Literal, ...]) -> str:
        """Return: the map has one of these entries; the index is asked, and never computed."""
        head = f"{len(key.encode())}:{key}"
        hints = [f"has({PAIRS}, {self.parameters.bind(f'{head}{value}')})" for value in values]
        entry = in_map("metadata", key, self.parameters)
        test = self.texts(entry.text, "IN", list(values))
        return f"(indexHint({' OR '.join(hints)}) AND {entry.present} AND {test})"

    def words(self, column: str, operator: Operator, pattern: str) -> str:
        """Compare with a pattern, and say what it implies of single words: those are indexed."""
        parts = [f"{column} {operator} {self.parameters.bind(_escape(pattern))}"]
        runs = dict.fromkeys(_RUN.findall(pattern))
        if [f"%{run}%" for run in runs] != [pattern]:
            parts += [f"{column} {operator} {self.parameters.bind(f'%{run}%')}" for run in runs]
        return f"({' AND '.join(parts)})"

    def tests(self, operand: Operand, operator: Operator, values: tuple[Literal, ...]) -> str:
        if operator not in ("IN", "NOT IN"):
            return self.compare(operand, operator, values[0])
        single: Operator = "=" if operator == "IN" else "!="
        parts = [self.compare(operand, single, one) for one in values if isinstance(one, float)]
        texts = [value for value in values if isinstance(value, str)]
        if texts:
            parts.append(self.texts(operand.text, operator, texts))
        return "(" + (" OR " if operator == "IN" else " AND ").join(parts) + ")"

    def texts(self, sql: str, operator: Operator, values: list[Literal] | list[str]) -> str:
        if operator in ("=", "!="):
            return f"{sql} {operator} {self.parameters.bind(values[0])}"
        return f"{sql} {operator} {self.parameters.bind(values, 'Array(String)')}"

    def compare(self, operand: Operand, operator: Operator, value: Literal) -> str:
        sql = operand.text
        if isinstance(value, float):
            decimal = _WITH_EXPONENT if operand.exponents else _PLAIN
            number = f"toFloat64OrNull(if(match({sql}, {decimal}), {sql}, ''))"
            bound = self.parameters.bind(value, "Float64")
            return f"ifNull(isFinite({number}) AND {number} {operator} {bound}, 0)"
        if operator in ORDERING:
            key, raw = (self.parameters.bind(part.decode()) for part in versions.sort_key(value))
            return f"({versions.sort_key_sql(sql)}, {sql}) {operator} ({key}, {raw})"
        if operator in ("RLIKE", "NOT RLIKE"):
            found = f"match({sql}, {self.parameters.bind(_regular(value))})"
            return found if operator == "RLIKE" else f"NOT {found}"
        if operator in ("=", "!="):
            return self.texts(sql, operator, [value])
        # LIKE has no escapes in the filter language, and `\` escapes in the engine.
        return f"{sql} {operator} {self.parameters.bind(_escape(value))}"

    def number(self, one: Comparison, sql: str) -> str:
        if not one.values:
            return f"{sql} {one.operator}"
        bound = [self.parameters.bind(value, "Float64") for value in one.values]
        if one.operator in ("IN", "NOT IN"):
            joined = " OR ".join(f"{sql} = {value}" for value in bound)
            return f"({joined})" if one.operator == "IN" else f"NOT ({joined})"
        return f"{sql} {one.operator} {bound[0]}"

    def time(self, one: Comparison) -> str:
        """Compare the request time, and say it once more in the words of the sorting key."""
        test = self.number(one, "request_time_ms")
        if one.operator not in ORDERING and one.operator != "=":
            return test
        limit = max(-_INT64_MAX, min(_INT64_MAX, math.floor(float(one.values[0]))))
        if one.operator in ("<", "<=", "="):
            # request_time_ms <= limit + 1, whatever was cut off
            above = self.parameters.bind(max(-_INT64_MAX, -limit - 1), "Int64")
            test = f"({test} AND -request_time_ms >= {above})"
        if one.operator in (">", ">=", "="):
            below = self.parameters.bind(-limit, "Int64")
            test = f"({test} AND -request_time_ms <= {below})"
        return test

    def trace_id(self, one: Comparison) -> str:
        if one.operator not in EQUALITY:
            return self.test(one, Operand("trace_id"))
        ids = [form for value in one.values for form in forms_of_trace_id(str(value))]
        operator = "IN" if one.operator in ("=", "IN") else "NOT IN"
        return f"trace_id {operator} {self.parameters.bind(ids, 'Array(String)')}"


def forms_of_trace_id(text: str) -> list[str]:
    """Return the ids that a text may mean: as it stands, and ours where it is 32 hex digits."""
    return [text, f"tr-{text}"] if _BARE_TRACE_ID.fullmatch(text) else [text]


def _escape(pattern: str) -> str:
    return pattern.replace("\\", "\\\\")


def _are_short(values: tuple[Literal, ...]) -> bool:
    return len(values) <= MAX_PAIRS and all(
        isinstance(value, str) and len(value.encode()) < MAX_PAIR_VALUE_BYTES for value in values
    )


def _numbers(one: Comparison) -> bool:
    return any(isinstance(value, float) for value in one.values)
