"""Lists as parameters of statements, of any length."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# A ClickHouse server takes a form field of 128 KiB (`http_max_field_value_size`). Longer lists are
# cut into several parameters; every string may double in size when it is escaped.
MAX_PARAMETER_BYTES = 120_000
_TO_ESCAPE = re.compile(r"[^0-9A-Za-z_.:-]")
_ARRAY_PLACEHOLDER = re.compile(r"\{(\w+):Array\(String\)\}")


def split_long_arrays(sql: str, parameters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Cut lists that exceed a form field into parts: `{x:…}` → `arrayConcat({x_0:…}, {x_1:…})`.

    The engine folds that into one constant array, so an index on the column is still used.
    """
    values = dict(parameters)
    for name in dict.fromkeys(_ARRAY_PLACEHOLDER.findall(sql)):
        parts = split_list(values.get(name, ()))
        if len(parts) < 2:  # noqa: PLR2004
            if name in values:
                values[name] = _quote(parts[0])
            continue
        del values[name]
        names = [f"{name}_{index}" for index in range(len(parts))]
        values.update(zip(names, map(_quote, parts), strict=True))
        placeholders = ", ".join(f"{{{part}:Array(String)}}" for part in names)
        sql = sql.replace(f"{{{name}:Array(String)}}", f"arrayConcat({placeholders})")
    return sql, values


class _Quoted:
    """A parameter that is written already."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


def _quote(items: list[str]) -> _Quoted | list[str]:
    """Write a list at once where nothing has to be escaped; the driver looks at every character."""
    joined = "', '".join(items)
    if not items or _TO_ESCAPE.search("".join(items)) is not None:
        return items
    return _Quoted(f"['{joined}']")


def split_list(items: Iterable[str]) -> list[list[str]]:
    """Cut a list into parts, each small enough for one parameter; an empty list is one part."""
    parts: list[list[str]] = [[]]
    room = MAX_PARAMETER_BYTES
    for item in items:
        size = 2 * len(item.encode(errors="replace")) + 4
        if size > room and parts[-1]:
            parts.append([])
            room = MAX_PARAMETER_BYTES
        parts[-1].append(item)
        room -= size
    return parts
