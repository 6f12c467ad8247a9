"""Documents: texts that belong to a whole process, such as the diff of its work tree.

They arrive as the attributes `whence.document.kind`, `.hash` and `.text` of a resource, which
needn't have spans. The first one of a (kind, hash) counts. A text is at most 2 MiB of UTF-8.

The manifest of a version and a prompt are named by the SHA-256 of their text, which is checked: no
process can put another text under a name. The ancestors of a commit are lines of commits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from whence import semconv
from whence.entities.surrogates import clean
from whence.entities.version_manifest import digest_of, read_manifest_text
from whence.store.rows import DocumentRow

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCUMENT_ATTRIBUTES = (semconv.DOCUMENT_KIND, semconv.DOCUMENT_HASH, semconv.DOCUMENT_TEXT)
MAX_DOCUMENT_BYTES = 2 << 20
MAX_ANCESTORS = 1000
COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
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
    problem = _CHECKS[kind](digest, text) if kind in _CHECKS else ""
    if problem:
        return None, f"document {kind} {digest} was refused: {problem}"
    size = len(text) if text.isascii() else len(text.encode())
    if size > MAX_DOCUMENT_BYTES:
        return None, (
            f"document {kind} {digest} was refused: {size} bytes are more than "
            f"{MAX_DOCUMENT_BYTES}; send a shorter text"
        )
    return DocumentRow(kind=kind, hash=digest, text=text), ""


def _check_digest(digest: str, text: str) -> str:
    found = digest_of(text)
    return "" if found == digest else f"its text has the SHA-256 {found}"


def _check_manifest(digest: str, text: str) -> str:
    problem = _check_digest(digest, text)
    if problem:
        return problem
    try:
        read_manifest_text(text)
    except (msgspec.DecodeError, RecursionError) as error:
        return f"its text is no manifest: {error}"
    return ""


def _check_ancestors(commit: str, text: str) -> str:
    lines = text.split("\n")
    if not all(map(COMMIT.fullmatch, (commit, *lines))):
        return "a line is no commit of 40 or 64 hex digits"
    if len(lines) > MAX_ANCESTORS:
        return f"it has {len(lines)} lines, and {MAX_ANCESTORS} are allowed"
    return ""


_CHECKS = {
    semconv.MANIFEST_DOCUMENT: _check_manifest,
    semconv.PROMPT_DOCUMENT: _check_digest,
    semconv.ANCESTORS_DOCUMENT: _check_ancestors,
}


def _show(value: Any) -> str:
    return repr(value)[:100]
