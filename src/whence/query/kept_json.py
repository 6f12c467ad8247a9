"""Structs that lie in the store as JSON, and were written by a program that knew fewer fields.

A field that came later and has no default is null where it may be, else empty: 0, '', false, none.
Fields that are no longer known are left out.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

StructT = TypeVar("StructT", bound=msgspec.Struct)
_EMPTY: dict[type, Any] = {
    inspect.IntType: 0,
    inspect.FloatType: 0.0,
    inspect.StrType: "",
    inspect.BoolType: False,
    inspect.ListType: [],
    inspect.DictType: {},
}


def decode_kept(text: str, kind: type[StructT]) -> StructT:
    """Return the struct that a program of any version wrote."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError:
        return msgspec.convert(_fill(msgspec.json.decode(text), _describe(kind)), kind)


@cache
def _describe(kind: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(kind)


def _fill(value: Any, kind: inspect.Type) -> Any:
    """Add what is missing, to any depth."""
    if isinstance(kind, inspect.UnionType):
        kind = next((one for one in kind.types if not isinstance(one, inspect.NoneType)), kind)
    if isinstance(kind, inspect.ListType) and isinstance(value, list):
        return [_fill(one, kind.item_type) for one in value]
    if isinstance(kind, inspect.StructType) and isinstance(value, dict):
        return {
            field.encode_name: _fill(value[field.encode_name], field.type)
            if field.encode_name in value
            else _make_empty(field.type)
            for field in kind.fields
            if field.encode_name in value or field.required
        }
    return value


def _make_empty(kind: inspect.Type) -> Any:
    if isinstance(kind, inspect.UnionType) and kind.includes_none:
        return None
    if isinstance(kind, inspect.StructType):
        return {one.encode_name: _make_empty(one.type) for one in kind.fields if one.required}
    return _EMPTY.get(type(kind))
