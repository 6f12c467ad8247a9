"""The manifest of this process's version, and the texts that belong to it.

Made of the ranked context, of what is installed and of what `whence.version` declared, as soon as
the late layers are through. See `whence.entities.version_manifest` for what it holds.
"""

from __future__ import annotations

import platform
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from whence import semconv
from whence.entities.version_manifest import (
    PromptVersion,
    VersionManifest,
    canonical_json,
    digest_of,
)
from whence.sdk import diagnostics
from whence.sdk.context.found import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from whence.sdk.context.ranking import ContextEntry
    from whence.sdk.settings import DeclaredVersion

MAX_PROMPT_BYTES = 1 << 20
SERVICE = "service.name"
REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|[^/\\]{2,}:")  # a URL, or host:path as ssh takes it


class Prompt(NamedTuple):
    """A declared prompt as the manifest names it, and the part of its text that may be kept."""

    version: PromptVersion
    kept: str


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
    prompts = {name: read_prompt(text) for name, text in declared.prompts.items()}
    _say_cut(prompts)
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
    texts = {one.version.text_hash: one.kept for one in prompts.values()}
    documents += [Document(semconv.PROMPT_DOCUMENT, name, kept) for name, kept in texts.items()]
    if commit and commit == head and ancestors:
        documents.append(Document(semconv.ANCESTORS_DOCUMENT, commit, "\n".join(ancestors)))
    return Described(manifest, digest, tuple(documents))


@lru_cache(maxsize=256)
def read_prompt(text: str) -> Prompt:
    """Return a prompt's hashes; of a text that is too long the beginning is kept."""
    whole = text.encode("utf-8", "replace")
    kept = whole[:MAX_PROMPT_BYTES].decode("utf-8", "ignore")
    name = digest_of(whole.decode("utf-8"))
    text_hash = name if len(whole) <= MAX_PROMPT_BYTES else digest_of(kept)
    return Prompt(PromptVersion(name, len(whole), text_hash), kept)


def _shareable(address: str | None) -> str | None:
    """Return the address of a repository, None for a folder: its path may name a person."""
    if address is None or not REMOTE.match(address) or address.startswith("file:"):
        return None
    return address


def _say_cut(prompts: Mapping[str, Prompt]) -> None:
    for name, one in prompts.items():
        if one.version.is_cut:
            diagnostics.warn_once(
                "long_prompt",
                "The prompt %s has %d bytes; the first %d of such prompts are kept, and the hash "
                "of the whole.",
                name,
                one.version.bytes,
                MAX_PROMPT_BYTES,
            )
