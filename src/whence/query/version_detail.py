"""One version: its numbers in all environments and in each, its manifests, what is seen of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from whence.entities.version import ManifestDetail, VersionDetail
from whence.errors import NotFoundError
from whence.query.manifests import read_manifests
from whence.query.version_names import find_version
from whence.query.version_quality import read_quality
from whence.query.version_seen import read_seen
from whence.query.version_table import BY_ENVIRONMENT, read_rows, warn

if TYPE_CHECKING:
    from whence.query.version_source import Selection
    from whence.store.connection import Store

MAX_ENVIRONMENTS = 100


def read_version(store: Store, selection: Selection, name: str) -> VersionDetail:
    """Return all that is known of a version. Raises NotFoundError and InvalidInputError."""
    found = find_version(store, selection, name)
    kind, value = _name(found)
    rows, _ = read_rows(store, found)
    if not rows:  # deleted just now
        raise NotFoundError(f"no trace names a version {name[:200]!r} any more")
    by_environment, _ = read_rows(store, found, keys=(BY_ENVIRONMENT,), limit=MAX_ENVIRONMENTS)
    quality = read_quality(store, found, by_version=False)
    merged = msgspec.structs.replace(
        rows[0],
        app_version=found.app_version,
        commit=found.commit,
        quality=quality.get((None, None, None), []),
    )
    (summary,) = warn(store, [merged])
    manifests = read_manifests(store, [one.digest for one in summary.manifests])
    return VersionDetail(
        name=value,
        kind=kind,
        summary=summary,
        environments=sorted(
            by_environment, key=lambda row: (row.environment is None, row.environment or "")
        ),
        manifests=[
            ManifestDetail(one.digest, one.traces, manifests.get(one.digest))
            for one in summary.manifests
        ],
        seen=read_seen(store, found),
    )


def _name(selection: Selection) -> tuple[str, str]:
    for kind in ("app_version", "commit", "manifest"):
        value = getattr(selection, kind)
        if value is not None:
            return kind, value
    raise AssertionError("a version was found without a name")
