"""What a version is called: an app version, a commit or a manifest's digest, both may be cut short.

An `app_version` of exactly that name comes first. Hex digits, 7 at least, may begin a commit or a
digest; where they begin several, that is an error which names them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from whence.errors import InvalidInputError, NotFoundError
from whence.query.compile import SETTINGS, Parameters

if TYPE_CHECKING:
    from whence.query.version_source import Selection
    from whence.store.connection import Store

MIN_DIGITS = 7
MAX_NAMED = 5
_HEX = re.compile(rf"[0-9a-f]{{{MIN_DIGITS},64}}")
_SELECT = """\
SELECT
    countIf(app_version = {name}) AS exact,
    groupUniqArrayArray({limit})({commits}) AS commits,
    groupUniqArrayArray({limit})({manifests}) AS manifests
FROM
(
{source}
)
"""


def find_version(store: Store, selection: Selection, name: str) -> Selection:
    """Return the selection narrowed to the version of that name.

    Raises NotFoundError where no trace names it, InvalidInputError where it may be several.
    """
    parameters = Parameters()
    bound = parameters.bind(name)
    is_hex = _HEX.fullmatch(name) is not None
    sql = _SELECT.format(
        name=bound,
        limit=MAX_NAMED,
        commits=_begin("one_commits", bound) if is_hex else "CAST([], 'Array(String)')",
        manifests=_begin("one_manifests", bound) if is_hex else "CAST([], 'Array(String)')",
        source=selection.sources(store, parameters),
    )
    ((exact, commits, manifests),) = store.query(sql, parameters.values, settings=SETTINGS).rows
    if exact:
        return msgspec.structs.replace(selection, app_version=name)
    found = [*(("commit", one) for one in commits), *(("manifest", one) for one in manifests)]
    if len(found) > 1:
        named = ", ".join(f"{kind} {one}" for kind, one in sorted(found)[:MAX_NAMED])
        raise InvalidInputError(f"{name!r} begins more than one version: {named}; give more of it")
    if not found:
        where = f" in environment {selection.environment!r}" if selection.environment else ""
        raise NotFoundError(
            f"no trace{where} names a version {name[:200]!r}: neither an app version, nor the "
            f"beginning ({MIN_DIGITS} digits) of a commit or of a manifest; `whence versions` "
            "lists them"
        )
    kind, value = found[0]
    return msgspec.structs.replace(selection, **{kind: value})


def _begin(counts: str, bound: str) -> str:
    return f"arrayFilter(one -> startsWith(one, {bound}), mapKeys({counts}))"
