"""The table `artifacts`: files that clients attach to traces, one row per (trace_id, path).

A deleted trace has none, also while its rows still lie there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.store.connection import list_columns
from whence.store.parameters import split_list
from whence.store.rows import ArtifactRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from whence.store.connection import Store

_SELECT = f"""\
SELECT {list_columns(ArtifactRow)}
FROM artifacts FINAL
WHERE trace_id = {{trace_id:String}}
    AND path = {{path:String}}
    AND trace_id NOT IN (SELECT trace_id FROM deletions WHERE trace_id = {{trace_id:String}})
"""

_DELETE = """\
DELETE FROM artifacts
WHERE trace_id IN {trace_ids:Array(String)}
"""


def read_artifact(store: Store, trace_id: str, path: str) -> ArtifactRow | None:
    """Return a file, or None where there is none of that path."""
    asked = {"trace_id": trace_id, "path": path}
    found = store.query(_SELECT, asked).structs(ArtifactRow)
    return found[0] if found else None


def delete_artifacts(store: Store, trace_ids: Collection[str]) -> None:
    """Remove the files of these traces: hidden on return, gone from the disk after a merge."""
    if not trace_ids:
        return
    for part in split_list(trace_ids):
        store.command(_DELETE, {"trace_ids": part})
