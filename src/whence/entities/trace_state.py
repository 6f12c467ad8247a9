"""The outcome of a trace."""

from __future__ import annotations

from enum import Enum


class TraceState(str, Enum):
    """OK, ERROR, or still IN_PROGRESS. Equal to its name as a string."""

    STATE_UNSPECIFIED = "STATE_UNSPECIFIED"
    OK = "OK"
    ERROR = "ERROR"
    IN_PROGRESS = "IN_PROGRESS"

    def __str__(self) -> str:
        return self.value
