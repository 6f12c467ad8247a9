"""What cells and fields of exports become: times, texts, numbers. None where there is nothing."""

from __future__ import annotations

import ast
import math
import warnings
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

import msgspec

from whence.errors import InvalidInputError
from whence.moves.trace import clamp_ns

NS_PER_S, US_PER_S, NS_PER_MS, NS_PER_US = 1_000_000_000, 1_000_000, 1_000_000, 1000
MAX_CELL_CHARS = 1_000_000  # of a list or an object written as text
_NO_LITERAL = (msgspec.DecodeError, MemoryError, RecursionError, SyntaxError, TypeError, ValueError)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# A number of this size and more is a time in the finer unit (the year 2001 in the coarser one).
LEAST_MS, LEAST_US, LEAST_NS = 10**11, 10**14, 10**17


def read_time_ns(value: Any) -> int | None:
    """Return nanoseconds of a time: text (UTC where it names no zone), a datetime or a number.

    Numbers are seconds, milliseconds, microseconds or nanoseconds, by their size. Text may have up
    to nine digits after the second.

    >>> read_time_ns("2024-05-29 13:46:19.963000"), read_time_ns("2024-05-29T13:46:19.000000001Z")
    (1716990379963000000, 1716990379000000001)
    >>> read_time_ns(1716990379.5), read_time_ns(1716990379500)
    (1716990379500000000, 1716990379500000000)
    """
    if value is None or value == "" or isinstance(value, bool):
        return None
    if isinstance(value, datetime):
        return _from_datetime(value, 0)
    if isinstance(value, int | float):
        return _from_number(value)
    text = str(value).strip()
    try:
        return _from_number(float(text)) if text.replace(".", "", 1).isdigit() else _from_text(text)
    except (ValueError, OverflowError):
        raise InvalidInputError(f"{text[:100]!r} is no time") from None


def _from_number(value: float) -> int | None:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    for least, factor in ((LEAST_NS, 1), (LEAST_US, NS_PER_US), (LEAST_MS, NS_PER_MS)):
        if value >= least:
            return clamp_ns(round(value * factor))
    return clamp_ns(round(value * NS_PER_S))


def _from_text(text: str) -> int:
    """Read ISO text; digits beyond microseconds, which `datetime` does not take, are added."""
    plain = text.replace("Z", "+00:00").replace(" UTC", "+00:00")
    head, dot, tail = plain.partition(".")
    digits = len(tail) - len(tail.lstrip("0123456789"))
    fraction, zone = tail[:digits], tail[digits:]
    moment = datetime.fromisoformat(head + zone if dot else head)
    return _from_datetime(moment, int(fraction[:9].ljust(9, "0")) if fraction else 0)


def _from_datetime(moment: datetime, more_ns: int) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    since = moment - EPOCH
    seconds = since.days * 86_400 + since.seconds
    return clamp_ns(seconds * NS_PER_S + since.microseconds * NS_PER_US + more_ns)


def decode_cell(value: Any) -> Any:
    r"""Return the list or object that a text writes: as JSON, or as ClickHouse's CSV does.

    Any other text, or value, is itself.

    >>> decode_cell('["a", "b"]'), decode_cell(r"['a','it\'s']"), decode_cell("{'input':10}")
    (['a', 'b'], ['a', "it's"], {'input': 10})
    >>> decode_cell("[sic]")
    '[sic]'
    """
    if not isinstance(value, str) or value[:1] not in ("[", "{") or len(value) > MAX_CELL_CHARS:
        return value
    with suppress(*_NO_LITERAL):
        return msgspec.json.decode(value)
    with suppress(*_NO_LITERAL), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an escape that Python does not know
        return ast.literal_eval(value)
    return value


def read_text(value: Any) -> str | None:
    """Return a text, JSON of what is none; None where there is nothing."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value, enc_hook=str).decode()


def read_texts(value: Any) -> dict[str, str]:
    """Return an object's values as texts; what is no object is kept under `metadata`."""
    if isinstance(value, dict):
        texts = {str(key): read_text(one) for key, one in value.items()}
        return {key: text for key, text in texts.items() if text is not None and key}
    text = read_text(value)
    return {} if text is None else {"metadata": text}


def read_number(value: Any) -> float | None:
    """Return a finite number, of text too."""
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
