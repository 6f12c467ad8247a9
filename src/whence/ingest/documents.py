"""Documents: texts that belong to a whole process, such as the diff of its work tree.

They arrive as the attributes `whence.document.kind`, `.hash` and `.text` of a resource, which
needn't have spans. The first one of a (kind, hash) counts. A text is at most 2 MiB of UTF-8.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from whence import semconv
from whence.ingest.jsontext import clean
from whence.store.rows import DocumentRow

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCUMENT_ATTRIBUTES = (semconv.DOCUMENT_KIND, semconv.DOCUMENT_HASH, semconv.DOCUMENT_TEXT)
MAX_DOCUMENT_BYTES = 2 << 20
_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_HASH = re.compile(r"[0-9A-Za-z_.:-]{1,128}")


def read_document(resource: Mapping[str, Any]) -> tuple[DocumentRow | None, str]:
    """Return the document of a resource, or None and why it is not kept."""
    kind, digest, text = (resource.get(name) for name in DOCUMENT_ATTRIBUTES)
    if not (isinstance(kind, str) and _KIND.fullmatch(kind)):
        return None, f"a document was refused: {semconv.DOCUMENT_KIND} {_show(kind)} is no kind"
    if not (isinstance(digest, str) and _HASH.fullmatch(digest)):
        return None, f"a document was refused: {semconv.DOCUMENT_HASH} {_show(digest)} is no hash"
    if not isinstance(text, str):
        return None, f"document {kind} {digest} was refused: {semconv.DOCUMENT_TEXT} is no text"
    text = clean(text)
    size = len(text) if text.isascii() else len(text.encode())
    if size > MAX_DOCUMENT_BYTES:
        return None, (
            f"document {kind} {digest} was refused: {size} bytes are more than "
            f"{MAX_DOCUMENT_BYTES}; send a shorter text"
        )
    return DocumentRow(kind=kind, hash=digest, text=text), ""


def _show(value: Any) -> str:
    return repr(value)[:100]
