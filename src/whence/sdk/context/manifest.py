"""The manifest of this process's version, and the texts that belong to it.

Made of the ranked context, of what is installed and of what `whence.version` declared, as soon as
the late layers are through. See `whence.entities.version_manifest` for what it holds.
"""

from __future__ import annotations

import platform
import re
from typing import TYPE_CHECKING, NamedTuple

from whence import semconv
from whence.entities.version_manifest import VersionManifest, canonical_json, digest_of
from whence.sdk.context.found import Document
from whence.sdk.context.prompts import read_prompts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from whence.sdk.context.ranking import ContextEntry
    from whence.sdk.settings import DeclaredVersion

SERVICE = "service.name"
REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|[^/\\]{2,}:")  # a URL, or host:path as ssh takes it


class Described(NamedTuple):
    """A manifest, its digest, and the documents that go with it."""

    manifest: VersionManifest
    digest: str
    documents: tuple[Document, ...]


def describe_version(
    entries: Iterable[ContextEntry],
    installed: Mapping[str, str],
    declared: DeclaredVersion,
    *,
    head: str | None = None,
    ancestors: tuple[str, ...] = (),
) -> Described:
    """Return the manifest; `ancestors` are those of the commit `head`."""
    known = {entry.key: entry.value for entry in entries if entry.value}
    prompts = read_prompts(declared.prompts)
    distributions = dict(installed)
    commit = known.get(semconv.GIT_COMMIT)
    dirty = known.get(semconv.GIT_DIRTY)
    manifest = VersionManifest(
        app_version=known.get(semconv.APP_VERSION),
        service=known.get(SERVICE),
        commit=commit,
        branch=known.get(semconv.GIT_BRANCH),
        repository=_shareable(known.get(semconv.GIT_REPO_URL)),
        dirty=None if dirty is None else dirty == "true",
        dirty_hash=known.get(semconv.GIT_DIRTY_HASH),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        distributions=distributions,
        distributions_hash=digest_of(canonical_json(distributions)) if distributions else None,
        prompts={name: one.version for name, one in prompts.items()},
        models=declared.models,
        parameters=declared.parameters,
    )
    text = manifest.to_text()
    digest = digest_of(text)
    documents = [Document(semconv.MANIFEST_DOCUMENT, digest, text)]
    texts = {one.version.text_hash: one.kept for one in prompts.values() if one.kept is not None}
    documents += [Document(semconv.PROMPT_DOCUMENT, name, kept) for name, kept in texts.items()]
    if commit and commit == head and ancestors:
        documents.append(Document(semconv.ANCESTORS_DOCUMENT, commit, "\n".join(ancestors)))
    return Described(manifest, digest, tuple(documents))


def _shareable(address: str | None) -> str | None:
    """Return the address of a repository, None for a folder: its path may name a person."""
    if address is None or not REMOTE.match(address) or address.startswith("file:"):
        return None
    return address
