"""The forms in which a list of traces is written."""

from __future__ import annotations

from enum import Enum


class Format(str, Enum):
    """What `--format` takes."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
