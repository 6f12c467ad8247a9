"""Requests of MLflow clients, read as tolerantly as those clients are used to.

A field may be in snake_case or camelCase, null means absent, an unknown field is ignored, an int64
may be a number or its text. A value of the wrong kind is `InvalidInputError` with its name: nothing
is dropped in silence. JSON that only Python writes (NaN, halves of surrogate pairs) is read: NaN as
the text `NaN`, half a pair as U+FFFD.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from whence.entities.timestamp import parse_timestamp
from whence.errors import InvalidInputError
from whence.ingest.jsontext import to_json
from whence.otlp.compression import decompress
from whence.otlp.values import INT64_MAX, INT64_MIN
from whence.server.body import check_encoding, read_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from whence.server.services import Services

MAX_SHOWN_CHARS = 100
DURATION = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,9}))?s")
NS_PER_S = 1_000_000_000
_decoder = msgspec.json.Decoder()  # made before any thread: see `whence.otlp.json`


class Fields:
    """The fields of a JSON object or of a query, asked for by their snake_case names."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def raw(self, name: str) -> Any:
        """Return a value as it was sent, or None."""
        value = self._values.get(name)
        return self._values.get(_camel(name)) if value is None else value

    def text(self, name: str) -> str | None:
        """Return a text, or None."""
        value = self.raw(name)
        if value is not None and not isinstance(value, str):
            raise refuse(name, value, "a string is expected")
        return value

    def need_text(self, name: str) -> str:
        """Return a text that must be there and not empty."""
        value = self.text(name)
        if not value:
            raise missing(name)
        return value

    def integer(self, name: str) -> int | None:
        """Return an int64, or None."""
        value = self.raw(name)
        if value is None:
            return None
        number = _to_integer(value)
        if number is None or not INT64_MIN <= number <= INT64_MAX:
            raise refuse(name, value, "a 64-bit integer is expected")
        return number

    def flag(self, name: str) -> bool | None:
        """Return true or false, or None; a query says it in words."""
        value = self.raw(name)
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if value is not None and not isinstance(value, bool):
            raise refuse(name, value, "true or false is expected")
        return value

    def texts(self, name: str) -> list[str]:
        """Return a list of texts; one text is a list of one, nothing is an empty list."""
        value = self.raw(name)
        if value is None:
            return []
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            raise refuse(name, value, "a list of strings is expected")
        return listed

    def inner(self, name: str) -> Fields | None:
        """Return the fields of an object, or None."""
        value = self.raw(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise refuse(name, value, "an object is expected")
        return Fields(value)

    def need_inner(self, name: str) -> Fields:
        """Return the fields of an object that must be there."""
        fields = self.inner(name)
        if fields is None:
            raise missing(name)
        return fields

    def inners(self, name: str) -> list[Fields]:
        """Return the fields of every object of a list; nothing is an empty list."""
        value = self.raw(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise refuse(name, value, "a list of objects is expected")
        return [Fields(one) for one in value]

    def mapping(self, name: str) -> dict[str, str]:
        """Return an object of texts; a key whose value is null is absent."""
        value = self.raw(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise refuse(name, value, "an object of strings is expected")
        for key, text in value.items():
            if text is not None and not isinstance(text, str):
                raise refuse(f"{name}.{key[:MAX_SHOWN_CHARS]}", text, "a string is expected")
        return {key: text for key, text in value.items() if text is not None}

    def pairs(self, name: str) -> dict[str, str]:
        """Return `[{"key", "value"}, …]` as a dict; a value that is absent is ''."""
        return {one.need_text("key"): one.text("value") or "" for one in self.inners(name)}

    def time_ms(self, name: str) -> int | None:
        """Return an RFC 3339 time as milliseconds, or None."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return parse_timestamp(text)
        except InvalidInputError:
            raise refuse(
                name, text, "a time such as '2026-11-23T05:00:07.444Z' is expected"
            ) from None

    def duration_ns(self, name: str) -> int | None:
        """Return a duration such as `0.165s` as nanoseconds, or None."""
        text = self.text(name)
        if text is None:
            return None
        match = DURATION.fullmatch(text)
        if match is None:
            raise refuse(name, text, "a duration such as '0.165s' is expected")
        seconds, fraction = match.groups()
        return int(seconds) * NS_PER_S + int((fraction or "").ljust(9, "0"))


async def read_fields(services: Services, request: Request) -> Fields:
    """Read a request's JSON object, or its query where it is a GET.

    Raises InvalidInputError, PayloadTooLargeError and UnsupportedMediaError.
    """
    if request.method in ("GET", "HEAD"):
        query = request.query_params
        lists = {key: query.getlist(key) for key in query}
        return Fields({key: all_[0] if len(all_) == 1 else all_ for key, all_ in lists.items()})
    return Fields(await read_object(services, request))


async def read_object(services: Services, request: Request) -> dict[str, Any]:
    """Read a request's JSON object; no body at all is an empty one."""
    encoding = check_encoding(request.headers.get("content-encoding"))
    limit = services.settings.max_body_bytes
    with services.budget.hold() as hold:
        body = await read_body(request, limit, hold)
        return await services.decode(lambda: parse_object(decompress(body, encoding, limit)))


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body."""
    try:
        value = _decoder.decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = _parse_python_json(body)
    if not isinstance(value, dict):
        raise InvalidInputError("the request body must be a JSON object")
    return value


def read_experiment_id(fields: Fields, name: str = "experiment_id") -> str | None:
    """Return an experiment's id, or None; it may be sent as a number."""
    value = fields.raw(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return None if value is None else check_experiment_id(value)


def need_experiment_id(fields: Fields, name: str = "experiment_id") -> str:
    """Return an experiment's id, which must be there."""
    experiment_id = read_experiment_id(fields, name)
    if experiment_id is None:
        raise missing(name)
    return experiment_id


def check_experiment_id(value: object) -> str:
    """Return an id that an experiment may have, or raise InvalidInputError."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return value
    raise InvalidInputError(
        f"Invalid experiment ID {_show(value)}. Experiment ID must be a valid integer."
    )


def missing(name: str) -> InvalidInputError:
    """Return the error for a parameter that must be given."""
    return InvalidInputError(f"Missing value for required parameter '{name}'.")


def refuse(name: str, value: object, why: str) -> InvalidInputError:
    """Return the error for a value that a parameter can't have."""
    return InvalidInputError(f"Invalid value {_show(value)} for parameter '{name}' supplied: {why}")


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}…"


def _to_integer(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"[+-]?[0-9]{1,20}", value, re.ASCII) else None
    return value if isinstance(value, int) else None


def _parse_python_json(body: bytes) -> Any:
    """Read what Python's own JSON writer may write; what comes out can be stored as UTF-8."""
    try:
        value = json.loads(body, parse_constant=str)
        return _decoder.decode(to_json(value).encode())
    except (ValueError, RecursionError, msgspec.DecodeError) as error:
        raise InvalidInputError(f"the request body is not JSON: {error}") from None


@lru_cache(maxsize=512)
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)
