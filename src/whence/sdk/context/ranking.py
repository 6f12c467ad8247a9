"""From what every source says to one value a key: the table's order, and what lost.

`rank` is a plain function of the evidence. Keys in the table come first, in its order; keys of
your own and facts of the host follow by name; those that nobody knows come last.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

import msgspec

from whence import semconv
from whence.sdk.context import table
from whence.sdk.context.identity import settle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from whence.sdk.context.found import Found
    from whence.sdk.context.identity import Evidence, Settled


# Sources whose version is that of the commit which the source beside it names: a tag, a label.
VERSION_OF = {
    table.PLATFORM: table.PLATFORM,
    table.LABELS: table.LABELS,
    table.TAG: table.DOT_GIT,
}


class ContextEntry(msgspec.Struct, frozen=True):
    """One key of the context.

    `value` is None where the key is unknown; then `source` lists what was looked at and `fix` says
    what makes it known. `overridden` holds the values that a stronger source replaced, `set_aside`
    those that were not taken because they speak of another commit. `asked` are the sources that
    would have won but said nothing, and `reason` is why one of them could not tell, or could not be
    taken at its word.
    """

    key: str
    value: str | None
    source: str
    overridden: tuple[Found, ...] = ()
    set_aside: tuple[Found, ...] = ()
    asked: tuple[str, ...] = ()
    fix: str = ""
    reason: str = ""


def rank(evidence: Evidence) -> tuple[tuple[ContextEntry, ...], tuple[ContextEntry, ...]]:
    """Return the known keys and the unknown ones."""
    settled = settle(evidence)
    notes = evidence.get(table.NOTE, {})
    said_keys = {key for source, said in evidence.items() for key in said if source != table.NOTE}
    keys = said_keys - {table.ALSO_AT}
    others = sorted(keys - set(table.ROWS))
    entries, missing = [], []
    for key in (*table.ROWS, *others):
        found, set_aside = _candidates(key, evidence, settled)
        asked = _asked_in_vain(key, found[0] if found else None, evidence)
        reason = notes[key].value if key in notes else ""
        if found:
            value, source = found[0].value, found[0].source
            entries.append(
                ContextEntry(key, value, source, found[1:], set_aside, asked, reason=reason)
            )
        elif reason or table.ROWS[key].fix:
            fix = table.ROWS[key].fix
            looked_at = ", ".join(asked)
            missing.append(ContextEntry(key, None, looked_at, (), set_aside, asked, fix, reason))
    return tuple(entries), tuple(missing)


def _candidates(
    key: str, evidence: Evidence, settled: Settled
) -> tuple[tuple[Found, ...], tuple[Found, ...]]:
    """Return what counts for a key, the strongest first, and what speaks of other code."""
    if key in table.CODE_KEYS:
        return settled.agreeing.get(key, ()), settled.set_aside.get(key, ())
    order = table.sources_of(key)
    rest = (source for source in evidence if source not in (*order, table.NOTE))
    said = [
        (source, evidence[source][key])
        for source in (*order, *rest)
        if key in evidence.get(source, {})
    ]
    if key != semconv.APP_VERSION:
        return tuple(one for _, one in said), ()
    aside = tuple(one for source, one in said if _is_of_other_code(source, evidence, settled))
    return tuple(one for _, one in said if one not in aside), aside


def _is_of_other_code(source: str, evidence: Evidence, settled: Settled) -> bool:
    """Tell whether a source's version belongs to a commit that this code is not."""
    commit = evidence.get(VERSION_OF.get(source, ""), {}).get(semconv.GIT_COMMIT)
    return commit is not None and commit in settled.set_aside.get(semconv.GIT_COMMIT, ())


def _asked_in_vain(key: str, winner: Found | None, evidence: Evidence) -> tuple[str, ...]:
    """Return the sources before the winner's; all of them where nobody knew."""
    silent = takewhile(
        lambda source: winner is None or evidence.get(source, {}).get(key) is not winner,
        table.sources_of(key),
    )
    return tuple(silent)


def is_from(origin: str, source: str) -> bool:
    """Tell whether a value's origin, such as `stamp /app/x`, is the table's source `stamp`."""
    return origin == source or origin.startswith(f"{source} ")


def provenance(entries: Iterable[ContextEntry]) -> str:
    """Return the JSON text {metadata key: where its value comes from}."""
    return msgspec.json.encode({entry.key: entry.source for entry in entries}).decode()
