"""Filter text → `Filter`. Tokens are sqlglot's; the grammar is ours (docs/filter-language.md).

sqlglot's SQL parser would read `user`, `commit`, `timestamp '…'`, comments and casts as SQL, so
only its tokenizer is used, without keywords, comments and escapes: a filter is none of these.

Limits: 30,000 characters, 200 comparisons, 50 levels of parentheses and NOT.
Every error is a `FilterError` with the 1-based column of what it speaks about.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone
from typing import ClassVar

from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType
from sqlglot.tokens import Tokenizer

from whence.errors import FilterError
from whence.query.filters import BARE_KEY, And, Comparison, Filter, Literal, Not, Or, is_about_span
from whence.query.vocabulary import (
    OPERATORS,
    ORDERING,
    PATTERNS,
    PRESENCE,
    TRACES,
    Field,
    Holds,
    Operator,
    Vocabulary,
    holds,
)

MAX_CHARS = 30_000  # a literal is one form field of at most 128 KiB on its way to the engine
MAX_COMPARISONS = 200
MAX_DEPTH = 50

PLAIN_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")

_SYMBOLS: dict[TokenType, Operator] = {
    TokenType.EQ: "=",
    TokenType.NEQ: "!=",
    TokenType.LT: "<",
    TokenType.LTE: "<=",
    TokenType.GT: ">",
    TokenType.GTE: ">=",
}
_WORDS: dict[str, Operator] = {"LIKE": "LIKE", "ILIKE": "ILIKE", "RLIKE": "RLIKE", "IN": "IN"}
_NEGATED: dict[str, Operator] = {
    "LIKE": "NOT LIKE",
    "ILIKE": "NOT ILIKE",
    "RLIKE": "NOT RLIKE",
    "IN": "NOT IN",
}
_NAME_PARTS = (TokenType.VAR, TokenType.NUMBER, TokenType.DOT)
_MOMENTS = ("timestamp_ms", "end_time_ms", "creation_time", "last_update_time")


class _FilterTokenizer(Tokenizer):
    QUOTES: ClassVar[list[tuple[str, str] | str]] = ["'", '"']
    IDENTIFIERS: ClassVar[list[str | tuple[str, str]]] = ["`"]
    STRING_ESCAPES: ClassVar[list[str]] = []
    COMMENTS: ClassVar[list[str | tuple[str, str]]] = []
    KEYWORDS: ClassVar[dict[str, TokenType]] = {
        ">=": TokenType.GTE,
        "<=": TokenType.LTE,
        "!=": TokenType.NEQ,
    }


def parse_filter(text: str | None, vocabulary: Vocabulary = TRACES) -> Filter | None:
    """Return the filter that a text means; None where it asks for everything: blanks, '', None."""
    if not text:
        return None
    if len(text) > MAX_CHARS:
        raise FilterError(f"the filter has {len(text)} characters; at most {MAX_CHARS} are read")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FilterError(
            f"half of a surrogate pair at column {error.start + 1} is not a character",
            column=error.start + 1,
        ) from error
    tokens = tokenize(text)
    return _Parser(text, tokens, vocabulary).parse() if tokens else None


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a filter or of an `order_by` clause."""
    try:
        return _FilterTokenizer().tokenize(text)
    except TokenError as error:
        column = _unclosed_quote(text)
        raise FilterError(
            f'the quote at column {column} is never closed; a text has no escapes: put "…" '
            "around one that holds ' and '…' around one that holds \"",
            column=column,
        ) from error


def read_name(
    text: str, tokens: list[Token], start: int, vocabulary: Vocabulary = TRACES
) -> tuple[Field, int]:
    """Read the field whose first token is `tokens[start]`; return it and the index after it."""
    first = tokens[start]
    column = first.start + 1
    stop = start + 1
    while stop < len(tokens) and tokens[stop].start == tokens[stop - 1].end + 1:
        glued = tokens[stop].token_type
        after_dot = tokens[stop - 1].token_type is TokenType.DOT
        if glued not in _NAME_PARTS and not (after_dot and _is_quoted_key(text, tokens[stop])):
            break
        stop += 1
    entity, key = _split_name(text, tokens[start:stop])
    if stop < len(tokens) and tokens[stop].token_type is TokenType.DASH:
        raise FilterError(
            f"'-' at column {tokens[stop].start + 1} is not part of a bare key; "
            "put backticks around the key, as in metadata.`my-key`",
            column=tokens[stop].start + 1,
        )
    found = vocabulary.find(entity, key)
    if found is None:
        raise _unknown_field(entity, key, column, vocabulary)
    return found, stop


def _split_name(text: str, parts: list[Token]) -> tuple[str | None, str]:
    """Return (entity or None, key); only the first dot separates, and only after a bare word."""
    texts = [_name_part(text, part) for part in parts]
    bare_entity = parts[0].token_type is TokenType.VAR
    if len(parts) == 1 or not bare_entity or parts[1].token_type is not TokenType.DOT:
        return None, "".join(texts)
    return texts[0], "".join(texts[2:])


def _name_part(text: str, token: Token) -> str:
    if token.token_type in (TokenType.IDENTIFIER, TokenType.STRING):
        return token.text
    part = text[token.start : token.end + 1]
    if not BARE_KEY.fullmatch(part):
        raise FilterError(
            f"{part!r} at column {token.start + 1} can't stand in a bare key; "
            "put backticks around the key",
            column=token.start + 1,
        )
    return part


def _is_quoted_key(text: str, token: Token) -> bool:
    if token.token_type is TokenType.IDENTIFIER:
        return True
    return token.token_type is TokenType.STRING and text[token.start] == '"'


def _unknown_field(
    entity: str | None, key: str, column: int, vocabulary: Vocabulary
) -> FilterError:
    shown = key if entity is None else f"{entity}.{key}"
    meant = vocabulary.suggest(entity, key)
    hint = f"; did you mean {meant!r}?" if meant else ""
    known = f"fields are {', '.join(vocabulary.fields)}"
    if entity:
        known = f"prefixes are {', '.join(vocabulary.prefixes)}"
    return FilterError(
        f"unknown field {shown!r} at column {column}{hint or '; ' + known}", column=column
    )


def _unclosed_quote(text: str) -> int:
    open_at, quote = 0, ""
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"`":
            open_at, quote = at, char
    return open_at + 1


class _Parser:
    """Recursive descent over the tokens of one filter."""

    def __init__(self, text: str, tokens: list[Token], vocabulary: Vocabulary) -> None:
        self.text = text
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.at = 0
        self.depth = 0
        self.count = 0

    def parse(self) -> Filter:
        tree = self.read_or()
        if self.at < len(self.tokens):
            token = self.tokens[self.at]
            raise self.error(f"expected AND, OR or the end, found {self.shown(token)}", token)
        return tree

    # --- Logic ---------------------------------------------------------------------------

    def read_or(self) -> Filter:
        operands = [self.read_and()]
        while self.take_word("OR"):
            operands.append(self.read_and())
        return operands[0] if len(operands) == 1 else Or(tuple(operands))

    def read_and(self) -> Filter:
        operands = [self.read_unary()]
        while self.take_word("AND"):
            operands.append(self.read_unary())
        return operands[0] if len(operands) == 1 else And(tuple(operands))

    def read_unary(self) -> Filter:
        token = self.peek()
        if token is None:
            raise self.error("expected a comparison, found the end", None)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"more than {MAX_DEPTH} levels of parentheses and NOT", token)
        tree = self.read_nested(token)
        self.depth -= 1
        return tree

    def read_nested(self, token: Token) -> Filter:
        if self.take_word("NOT"):
            return Not(self.read_unary())
        if token.token_type is not TokenType.L_PAREN:
            return self.read_comparison()
        self.at += 1
        inner = self.read_or()
        closing = self.peek()
        if closing is None or closing.token_type is not TokenType.R_PAREN:
            raise self.error("this parenthesis is never closed", token)
        self.at += 1
        return And((inner,)) if is_about_span(inner) else inner

    # --- Comparisons ---------------------------------------------------------------------

    def read_comparison(self) -> Comparison:
        token = self.tokens[self.at]
        self.count += 1
        if self.count > MAX_COMPARISONS:
            raise self.error(f"more than {MAX_COMPARISONS} comparisons", token)
        quoted = _is_quoted_key(self.text, token)
        if token.token_type is not TokenType.VAR and not quoted:
            raise self.error(f"expected a field, found {self.shown(token)}", token)
        named, self.at = read_name(self.text, self.tokens, self.at, self.vocabulary)
        operator_token = self.peek()
        operator = self.read_operator()
        allowed = OPERATORS[holds(named)]
        if operator not in allowed:
            raise self.error(
                f"{operator} does not work on {self.name_of(token)}; use {', '.join(allowed)}",
                operator_token,
            )
        values = self.read_values(named, operator)
        return Comparison(named, operator, values, token.start + 1)

    def read_operator(self) -> Operator:
        token = self.peek()
        if token is None:
            raise self.error("expected an operator, found the end", None)
        if token.token_type in _SYMBOLS:
            self.at += 1
            self.refuse_double_symbol(token)
            return _SYMBOLS[token.token_type]
        if self.take_word("IS"):
            negated = self.take_word("NOT")
            if not self.take_word("NULL"):
                raise self.error("expected NULL after IS", self.peek())
            return "IS NOT NULL" if negated else "IS NULL"
        negated = self.take_word("NOT")
        word = self.peek()
        name = word.text.upper() if word is not None and word.token_type is TokenType.VAR else ""
        if name not in _WORDS:
            raise self.error(f"expected an operator, found {self.shown(word)}", word)
        self.at += 1
        return _NEGATED[name] if negated else _WORDS[name]

    def refuse_double_symbol(self, token: Token) -> None:
        following = self.peek()
        if following is None or following.token_type not in _SYMBOLS:
            return
        found = self.text[token.start : following.end + 1]
        meant = {"==": "=", "<>": "!="}.get(found)
        hint = f"; write {meant}" if meant else ""
        raise self.error(f"there is no operator {found!r}{hint}", token)

    # --- Values --------------------------------------------------------------------------

    def read_values(self, named: Field, operator: Operator) -> tuple[Literal, ...]:
        if operator in PRESENCE:
            return ()
        if operator not in ("IN", "NOT IN"):
            return (self.read_value(named, operator),)
        opening = self.peek()
        if opening is None or opening.token_type is not TokenType.L_PAREN:
            raise self.error(f"expected a list in parentheses after {operator}", opening)
        values: list[Literal] = []
        while not values or self.tokens[self.at].token_type is TokenType.COMMA:
            self.at += 1
            values.append(self.read_value(named, operator))
            if self.peek() is None:
                break
        closing = self.peek()
        if closing is None or closing.token_type is not TokenType.R_PAREN:
            raise self.error("this list is never closed", opening)
        self.at += 1
        return tuple(values)

    def read_value(self, named: Field, operator: Operator) -> Literal:
        token = self.peek()
        if token is None:
            raise self.error(f"expected a value after {operator}, found the end", None)
        if token.token_type is TokenType.STRING:
            return self.check_text(self.read_text(), named, operator, token)
        number = self.read_number()
        if number is None:
            raise self.error(
                f"expected a number, or a text in quotes (' or \"), found {self.shown(token)}",
                token,
            )
        kind = holds(named)
        if operator in PATTERNS or kind in (Holds.WORD, Holds.REFERENCE, Holds.LABEL):
            raise self.error(f"{operator} needs a quoted text here, found the number", token)
        return number

    def read_text(self) -> str:
        """Read one text: quotes of its own kind inside are doubled, and stay doubled."""
        first = self.tokens[self.at]
        self.at += 1
        last = first
        while (following := self.peek()) is not None:
            glued = following.start == last.end + 1 and following.token_type is TokenType.STRING
            if not glued or self.text[following.start] != self.text[first.start]:
                break
            last = following
            self.at += 1
        return self.text[first.start + 1 : last.end]

    def read_number(self) -> float | None:
        """Read `5`, `-0.5`, `.5` or `1e3`; None where there is no number."""
        first = self.at
        while (token := self.peek()) is not None:
            if self.at > first and token.start != self.tokens[self.at - 1].end + 1:
                break
            signs = (TokenType.DASH, TokenType.PLUS) if self.at == first else ()
            if token.token_type not in (*_NAME_PARTS, *signs):
                break
            self.at += 1
        if self.at == first:
            return None
        token = self.tokens[first]
        written = self.text[token.start : self.tokens[self.at - 1].end + 1]
        mantissa, _, exponent = written.lower().partition("e")
        whole_exponent = re.fullmatch(r"[+-]?[0-9]+", exponent or "0")
        if not PLAIN_DECIMAL.fullmatch(mantissa) or not whole_exponent:
            self.at = first
            return None
        number = float(written)
        if not math.isfinite(number):
            raise self.error(f"{written} is too large for a number", token)
        return number

    def check_text(self, text: str, named: Field, operator: Operator, token: Token) -> Literal:
        kind = holds(named)
        if kind is Holds.NUMBER:
            return self.number_in(text, named, token)
        if kind is Holds.JUDGEMENT and operator in ORDERING:
            raise self.error(
                f"{operator} on {named.kind} compares numbers; write the number without quotes",
                token,
            )
        if named.key == "prompt" and named.kind == "attribute":
            name, _, version = text.rpartition("/")
            if not name or not version:
                raise self.error('expected prompt = "name/version"', token)
        return text

    def number_in(self, text: str, named: Field, token: Token) -> float:
        if PLAIN_DECIMAL.fullmatch(text) and math.isfinite(float(text)):
            return float(text)
        if named.key in _MOMENTS:
            try:
                moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
            except ValueError:
                pass
            else:
                in_utc = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
                return float(round(in_utc.timestamp() * 1000))
        raise self.error(f"{named.key} compares milliseconds; found the text {text!r}", token)

    # --- Tokens --------------------------------------------------------------------------

    def peek(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take_word(self, word: str) -> bool:
        """Step over a bare word, any case, that is not the beginning of a dotted name."""
        token = self.peek()
        if token is None or token.token_type is not TokenType.VAR or token.text.upper() != word:
            return False
        following = self.tokens[self.at + 1] if self.at + 1 < len(self.tokens) else None
        if following is not None and following.token_type is TokenType.DOT:
            return False
        self.at += 1
        return True

    def name_of(self, token: Token) -> str:
        return self.text[token.start : self.tokens[self.at - 1].start].split()[0]

    def shown(self, token: Token | None) -> str:
        return "the end" if token is None else repr(self.text[token.start : token.end + 1])

    def error(self, message: str, token: Token | None) -> FilterError:
        column = len(self.text) + 1 if token is None else token.start + 1
        where = "" if "at column" in message else f" at column {column}"
        return FilterError(f"{message}{where}", column=column)
