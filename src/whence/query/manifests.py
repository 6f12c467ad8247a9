"""Manifests of versions as the store has them, and what tells several of one version apart."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from whence import semconv
from whence.entities.version_manifest import VersionManifest, read_manifest_text
from whence.store.documents import read_texts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from whence.store.connection import Store

MAX_KEPT = 500  # of the manifests read last, some 30 kB each
# What makes the code of a version, in words → the field of a manifest.
PARTS: dict[str, str] = {
    "commit": "commit",
    "uncommitted changes": "dirty_hash",
    "Python": "python",
    "dependencies": "distributions_hash",
    "prompts": "prompts",
    "models": "models",
    "parameters": "parameters",
}
_kept: dict[tuple[str, str], VersionManifest] = {}
_lock = threading.Lock()


def read_manifests(store: Store, digests: Collection[str]) -> dict[str, VersionManifest]:
    """Return {digest: manifest} of those that there are. What has a digest never changes."""
    found = {}
    for digest in digests:
        known = _kept.get((store.url, digest))
        if known is not None:
            found[digest] = known
    missing = [digest for digest in digests if digest not in found]
    for digest, text in read_texts(store, semconv.MANIFEST_DOCUMENT, missing).items():
        try:
            found[digest] = read_manifest_text(text)
        except (msgspec.DecodeError, RecursionError):  # kept by a server that did not look at it
            continue
        _keep((store.url, digest), found[digest])
    return found


def _keep(name: tuple[str, str], manifest: VersionManifest) -> None:
    with _lock:
        while len(_kept) >= MAX_KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[name] = manifest


def find_differences(manifests: Iterable[VersionManifest]) -> list[str]:
    """Return in what manifests of one version differ, in words; services are looked at apart."""
    by_service: dict[str | None, list[VersionManifest]] = {}
    for one in manifests:
        by_service.setdefault(one.service, []).append(one)
    return [
        words
        for words, field in PARTS.items()
        if any(_differ(several, field) for several in by_service.values())
    ]


def _differ(manifests: list[VersionManifest], field: str) -> bool:
    first, *others = (getattr(one, field) for one in manifests)
    return any(one != first for one in others)
