"""Who judged, and what went wrong when judging failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from whence.errors import InvalidInputError

MAX_STACK_TRACE_CHARS = 10_000


class AssessmentSourceType:
    """The kinds of judges, as strings. Case does not matter on the way in."""

    SOURCE_TYPE_UNSPECIFIED = "SOURCE_TYPE_UNSPECIFIED"
    HUMAN = "HUMAN"
    LLM_JUDGE = "LLM_JUDGE"
    CODE = "CODE"


SOURCE_TYPES = (
    AssessmentSourceType.HUMAN,
    AssessmentSourceType.LLM_JUDGE,
    AssessmentSourceType.CODE,
    AssessmentSourceType.SOURCE_TYPE_UNSPECIFIED,
)


def _standardise(source_type: str) -> str:
    name = str(source_type).upper()
    if name == "AI_JUDGE":
        import warnings

        warnings.warn(
            "AI_JUDGE is deprecated. Use AssessmentSourceType.LLM_JUDGE instead.",
            FutureWarning,
            stacklevel=4,
        )
        return AssessmentSourceType.LLM_JUDGE
    if name not in SOURCE_TYPES:
        msg = (
            f"Invalid assessment source type: {source_type}. "
            f"Valid source types: {list(SOURCE_TYPES)}"
        )
        raise InvalidInputError(msg)
    return name


@dataclass
class AssessmentSource:
    """Who made a judgement: the kind of judge, and which one."""

    source_type: str
    source_id: str = "default"

    def __post_init__(self) -> None:
        self.source_type = _standardise(self.source_type)

    def to_dict(self) -> dict[str, str]:
        """Return MLflow's JSON form."""
        return {"source_type": self.source_type, "source_id": self.source_id}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> AssessmentSource:
        """Read MLflow's JSON form."""
        return cls(
            source_type=data.get("source_type", AssessmentSourceType.SOURCE_TYPE_UNSPECIFIED),
            source_id=data.get("source_id", "default"),
        )

    to_dictionary = to_dict
    from_dictionary = from_dict


@dataclass
class AssessmentError:
    """Why a judge gave no value. Of a long stack trace the last 10,000 characters are kept."""

    error_code: str
    error_message: str | None = None
    stack_trace: str | None = None

    def __post_init__(self) -> None:
        if self.stack_trace is not None:
            self.stack_trace = self.stack_trace[-MAX_STACK_TRACE_CHARS:]

    @classmethod
    def from_exception(cls, exception: BaseException) -> AssessmentError:
        """Name the exception's class, its text and its stack trace."""
        import traceback

        stack = traceback.format_exception(type(exception), exception, exception.__traceback__)
        return cls(
            error_code=type(exception).__name__,
            error_message=str(exception),
            stack_trace="".join(stack),
        )

    def to_dict(self) -> dict[str, str]:
        """Return MLflow's JSON form."""
        fields = {
            "error_code": self.error_code,
            "error_message": self.error_message,
            "stack_trace": self.stack_trace,
        }
        return {key: value for key, value in fields.items() if value is not None}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> AssessmentError:
        """Read MLflow's JSON form."""
        return cls(
            error_code=data.get("error_code", ""),
            error_message=data.get("error_message"),
            stack_trace=data.get("stack_trace"),
        )

    to_dictionary = to_dict
    from_dictionary = from_dict
