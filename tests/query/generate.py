"""Strategies: hostile filters and hostile traces that stand a chance to meet."""

from __future__ import annotations

from hypothesis import strategies as st

from whence.query.filters import And, Comparison, Not, Or, comparisons, is_about_span
from whence.query.vocabulary import (
    ATTRIBUTES,
    EQUALITY,
    OPERATORS,
    ORDERING,
    PATTERNS,
    PRESENCE,
    SPAN_FIELDS,
    Field,
    Holds,
    holds,
)

KEYS = (
    "k",
    "n",
    "a.b",
    "my key",
    "we`ird",
    "ключ",
    "environment",
    "app_version",
    "mlflow.trace.session",
    "name",
)
TEXTS = (
    "", "a", "A", "ab", "a%b", "a_b", "a\\b", "a\\%b", "it's", 'say "x"', "wörld", "WÖRLD", "ß", "日本", "😀", "a\nb",
    "\x00", "\t", "\\", "\\n", "%", "_", "null", "true", "prod", "Production", "dev", "OK", "ERROR", "LLM", "TOOL",
    "5", "05", "5.0", "-3", "+3", "0.5", ".5", "5.", "1e5", "nan", "inf", "-inf", "0x10", " 5", "5 ", "٣", "1_000",
    "9007199254740993", "1" * 400, "0.1", "0.10000000000000001",
    "2.10.0", "2.9.1", "2.9.1-rc1", "2.9.1-rc.2", "v2.9.1", "2.9", "2.9.0", "02.9", "main", "2.9.1-5-gabc123", "2.9.1.post1",
    "a" * 32, "tr-" + "a" * 32, "p/1",
)  # fmt: skip
# What previews are made of: whole words, words in words, and patterns that cut through them.
WORDS = ("refund", "Refund", "refunded", "order", "the", "order_id", "wörld42x", "a-b", "100%")
WORD_PATTERNS = ("%refund%", "%Refund%", "%fund%", "refund%", "%order", "%refund order%", "%und ord%", "%order_id%", "%REFUND the%", "%wörld42%", "%a-b%", "%", "refund", "%the%", "%100%%")  # fmt: skip
REGULAR = (
    "",
    "a",
    "^a",
    "a$",
    ".",
    "^.$",
    "a.b",
    "(?i)wörld",
    "[0-9]+",
    "^(dev|prod)$",
    "a|b",
    "\\\\",
    "\\.",
    "^$",
    "\\bOK\\b",
    "(?s)a.b",
)
NUMBERS = (
    0.0,
    5.0,
    -3.0,
    3.0,
    0.5,
    0.1,
    1e5,
    2.0,
    9007199254740992.0,
    9007199254740994.0,
    40.0,
    1000.0,
    1001.0,
)

texts = st.one_of(st.sampled_from(TEXTS), st.text(alphabet="ab%_\\'\"\n1.é", max_size=5))
numbers = st.sampled_from(NUMBERS)

fields = st.one_of(
    st.sampled_from([Field("attribute", name) for name in ATTRIBUTES]),
    st.sampled_from([Field("span", name) for name in SPAN_FIELDS]),
    st.builds(Field, st.sampled_from(["metadata", "tag", "span_attribute"]), st.sampled_from(KEYS)),
    st.builds(Field, st.sampled_from(["feedback", "expectation"]), st.sampled_from(KEYS[:4])),
    st.just(Field("issue", "id")),
    st.just(Field("tag", "mlflow.traceName")),
    st.sampled_from(
        [Field("span_attribute", f"mlflow.span{name}") for name in ("Inputs", "Outputs", "Type")]
    ),
    st.just(Field("metadata", "mlflow.sourceRun")),
)


@st.composite
def comparison(draw):
    named = draw(fields)
    operator = draw(st.sampled_from(OPERATORS[holds(named)]))
    if operator in PRESENCE:
        return Comparison(named, operator)
    if operator in PATTERNS:
        likes = st.one_of(texts, st.sampled_from(WORD_PATTERNS))
        literals = st.sampled_from(REGULAR) if "RLIKE" in operator else likes
    elif named.key == "prompt":
        literals = st.sampled_from(["p/1", "p/2", "a/b/1"])
    elif holds(named) is Holds.NUMBER or (holds(named) is Holds.JUDGEMENT and operator in ORDERING):
        literals = numbers
    elif holds(named) in (Holds.WORD, Holds.REFERENCE):
        literals = texts
    else:
        literals = st.one_of(texts, numbers)
    many = operator in EQUALITY and operator.endswith("IN")
    values = draw(st.lists(literals, min_size=1, max_size=3)) if many else [draw(literals)]
    return Comparison(named, operator, tuple(values))


def filters():
    """Trees as the parser makes them."""
    groups = comparison().map(lambda one: And((one,)) if is_about_span(one) else one)
    return st.recursive(
        st.one_of(comparison(), groups),
        lambda inner: st.one_of(
            inner.map(Not),
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts))),
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
        ),
        max_leaves=5,
    )


def renderable(tree):
    """Tell whether a tree can be written: a text with both kinds of quotes can't."""
    literals = [
        value for one in comparisons(tree) for value in one.values if isinstance(value, str)
    ]
    return not any("'" in value and '"' in value for value in literals)
