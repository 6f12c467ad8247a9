"""The outcome of a span."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from whence.errors import InvalidInputError


class SpanStatusCode(str, Enum):
    """UNSET, OK or ERROR. Equal to its name as a string."""

    UNSET = "UNSET"
    OK = "OK"
    ERROR = "ERROR"

    def __str__(self) -> str:
        return self.value

    @classmethod
    def _missing_(cls, value: object) -> SpanStatusCode:
        if isinstance(value, str) and value.startswith("STATUS_CODE_"):
            name = value[len("STATUS_CODE_") :]
            if name in cls.__members__:
                return cls[name]
        msg = (
            f"{value} is not a valid SpanStatusCode value. "
            f"Please use one of {list(cls.__members__)}"
        )
        raise InvalidInputError(msg)


@dataclass
class SpanStatus:
    """A status code and, for errors, what went wrong. The code is accepted as a string."""

    status_code: SpanStatusCode
    description: str = ""

    def __post_init__(self) -> None:
        self.status_code = SpanStatusCode(self.status_code)
