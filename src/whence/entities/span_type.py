"""What kind of step a span is, and how loud."""

from __future__ import annotations

from enum import IntEnum

from whence.errors import InvalidInputError


class SpanType:
    """The well-known span types. Any other string is a span type as well."""

    LLM = "LLM"
    CHAIN = "CHAIN"
    AGENT = "AGENT"
    TOOL = "TOOL"
    CHAT_MODEL = "CHAT_MODEL"
    RETRIEVER = "RETRIEVER"
    PARSER = "PARSER"
    EMBEDDING = "EMBEDDING"
    RERANKER = "RERANKER"
    MEMORY = "MEMORY"
    UNKNOWN = "UNKNOWN"
    WORKFLOW = "WORKFLOW"
    TASK = "TASK"
    GUARDRAIL = "GUARDRAIL"
    EVALUATOR = "EVALUATOR"


INFO_TYPES = frozenset(
    {
        SpanType.LLM,
        SpanType.CHAT_MODEL,
        SpanType.TOOL,
        SpanType.RETRIEVER,
        SpanType.AGENT,
        SpanType.EMBEDDING,
    }
)


class SpanLogLevel(IntEnum):
    """How important a span is. Built from a number or a name, in any case."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50

    @classmethod
    def _missing_(cls, value: object) -> SpanLogLevel:
        if isinstance(value, str) and value.upper() in cls.__members__:
            return cls[value.upper()]
        names = ", ".join(cls.__members__)
        msg = f"{value!r} is not a span log level. Use one of {names}, or its number."
        raise InvalidInputError(msg)

    @classmethod
    def default_for(cls, span_type: str | None) -> SpanLogLevel:
        """Return the level that a span of this type gets where none was set."""
        return cls.INFO if span_type in INFO_TYPES else cls.DEBUG
