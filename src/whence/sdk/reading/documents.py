"""Reading back what a process said of itself at length: the diff of its work tree.

A diff is stored once for each hash, and only by a process that was asked to:
`whence.configure(store_diff=True)` or `WHENCE_STORE_DIFF=1`.
"""

from __future__ import annotations

import re

from whence import semconv
from whence.errors import InvalidInputError, NotFoundError
from whence.sdk.reading.client import Client, current_client
from whence.sdk.reading.http import path_of

DIFF = "diff"
HASH = re.compile(r"[0-9a-f]{40}")


def get_diff(dirty_hash: str) -> str | None:
    """Return the stored diff of a work tree (`whence.git.dirty_hash`), or None where none is."""
    client = current_client()
    client.catch_up()
    try:
        return read_diff(client, dirty_hash)
    except NotFoundError:
        return None


def read_diff(client: Client, dirty_hash: str) -> str:
    """Return the stored diff of a work tree. Raises `NotFoundError`."""
    if not isinstance(dirty_hash, str) or not HASH.fullmatch(dirty_hash):
        raise InvalidInputError(
            f"the hash of a dirty work tree has 40 hex digits, not {dirty_hash!r}"
        )
    try:
        text: str = client.call("GET", "/documents" + path_of(DIFF, dirty_hash))["text"]
    except NotFoundError:
        raise NotFoundError(
            f"no diff is stored for {dirty_hash}; a program stores it with "
            "whence.configure(store_diff=True) or WHENCE_STORE_DIFF=1"
        ) from None
    return text


def find_dirty_hash(client: Client, trace_id: str) -> str:
    """Return the hash of the work tree that a trace came from. Raises `NotFoundError`."""
    metadata = client.get_trace(trace_id).info.trace_metadata
    found = metadata.get(semconv.GIT_DIRTY_HASH)
    if found:
        return str(found)
    known = metadata.get(semconv.GIT_DIRTY)
    why = "from a clean work tree" if known == "false" else "from an unknown work tree"
    raise NotFoundError(f"trace {trace_id} has no hash of changes: it came {why}")
