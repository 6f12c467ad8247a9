"""The table `documents`: texts that belong to a whole process, by (kind, hash); the first counts.

A process sends each once, and many processes send the same: merges keep one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.store.connection import list_columns
from whence.store.rows import DocumentRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from whence.store.connection import Store

_SELECT = f"""\
SELECT {list_columns(DocumentRow)}
FROM documents FINAL
WHERE kind = {{kind:String}} AND hash = {{hash:String}}
"""


def read_document(store: Store, kind: str, document_hash: str) -> DocumentRow | None:
    """Return a document, or None where there is none of that kind and hash."""
    found = store.query(_SELECT, {"kind": kind, "hash": document_hash}).structs(DocumentRow)
    return found[0] if found else None


_SELECT_TEXTS = """\
SELECT hash, text
FROM documents FINAL
WHERE kind = {kind:String} AND hash IN {hashes:Array(String)}
"""


def read_texts(store: Store, kind: str, hashes: Collection[str]) -> dict[str, str]:
    """Return {hash: text} of those documents of a kind that there are."""
    if not hashes:
        return {}
    rows = store.query(_SELECT_TEXTS, {"kind": kind, "hashes": sorted(hashes)}).rows
    return dict(rows)


_SELECT_HASHES = """\
SELECT DISTINCT hash
FROM documents
WHERE kind = {kind:String} AND startsWith(hash, {beginning:String})
ORDER BY hash
LIMIT {limit:UInt64}
"""


def find_hashes(store: Store, kind: str, beginning: str, limit: int = 5) -> list[str]:
    """Return the hashes of a kind that begin so, the first few."""
    asked = {"kind": kind, "beginning": beginning, "limit": limit}
    return [row[0] for row in store.query(_SELECT_HASHES, asked).rows]
