"""The context of this process: which code, which version, which environment; each with its origin.

`resolve()` asks the fast layers: milliseconds, no program started, no network. `resolve_late()`
asks the late ones (whether the work tree is dirty, the nearest tag, the diff) and merges what they
find; `is_settled()` says whether that has happened. Who is asked, and who wins, `table` says. With
the late ones, what makes this version is known, and its manifest made (`manifest`).

The fast part is resolved once per process, and again after a fork or a change of the
declarations. A forked child keeps what its parent found late: it runs the code that the parent
loaded. Nothing here raises or takes a lock, so any thread may call it, and a forked child too.
Limits: what changes later (a `git checkout`, a variable) is not seen.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import msgspec

from whence import semconv
from whence.sdk import settings
from whence.sdk.context import layers
from whence.sdk.context.git import read_current_git
from whence.sdk.context.git.ancestors import read_ancestors
from whence.sdk.context.installed import list_installed
from whence.sdk.context.ranking import ContextEntry, provenance, rank
from whence.sdk.context.table import resource_name

if TYPE_CHECKING:
    from whence.sdk.context.found import Document
    from whence.sdk.context.identity import Evidence
    from whence.sdk.context.layers import Basis
    from whence.sdk.context.manifest import Described
    from whence.sdk.settings import DeclaredVersion

__all__ = [
    "Context",
    "ContextEntry",
    "describe",
    "documents",
    "forget",
    "is_settled",
    "resolve",
    "resolve_late",
    "resource_attributes",
]

SDK_NAME = "whence"
MANIFEST_SOURCE = "what makes this version"
INTEGERS = frozenset({"process.pid"})  # resource attributes that OpenTelemetry wants as a number


class Context(msgspec.Struct, frozen=True):
    """All that is known about this process, and what was looked for in vain."""

    entries: tuple[ContextEntry, ...]
    missing: tuple[ContextEntry, ...]
    resource: dict[str, Any]


class Late(msgspec.Struct, frozen=True):
    """What the late layers found. `has_diff`: the diff was asked for.

    `installed` are the distributions, `ancestors` those of the repository's HEAD.
    """

    evidence: Evidence
    documents: tuple[Document, ...]
    has_diff: bool
    installed: dict[str, str] = {}
    ancestors: tuple[str, ...] = ()


class _Fast(msgspec.Struct, frozen=True):
    pid: int
    declared: dict[str, str]
    version: DeclaredVersion
    basis: Basis
    evidence: Evidence
    late: Late | None
    context: Context
    documents: tuple[Document, ...] = ()


# One per process. Each is replaced whole, so that a reader sees one that fits together.
_fast: _Fast | None = None
_late: Late | None = None


def resolve() -> Context:
    """Return the context of this process. The same object as long as nothing changed."""
    return _resolve().context


def resolve_late() -> Context:
    """Ask the late layers, which may take seconds; return the context with what they found.

    Asks once: a second call returns at once, and so does one in a forked child whose parent had
    asked. After `configure(store_diff=True)` it asks again.
    """
    global _late  # noqa: PLW0603 - as above
    if not is_settled():
        has_diff = settings.current.store_diff
        basis = msgspec.structs.replace(_resolve().basis, stores_diff=has_diff)
        evidence, documents = layers.collect(layers.LATE, basis)
        state = basis.state
        _late = Late(
            evidence,
            tuple(documents),
            has_diff,
            installed=layers.guard(list_installed) or {},
            ancestors=tuple(layers.guard(lambda: read_ancestors(state)) or ()) if state else (),
        )
    return resolve()


def is_settled() -> bool:
    """Tell whether the late values are in: `resolve()` won't say more."""
    late = _late
    return late is not None and (late.has_diff or not settings.current.store_diff)


def documents() -> list[Document]:
    """Return the texts that belong to this process; empty until `resolve_late()` is through.

    They are the diff of the work tree, the version's manifest and what it refers to.
    """
    late = _late
    if late is None:
        return []
    made = _resolve().documents
    if not settings.current.store_prompts:
        made = tuple(one for one in made if one.kind != semconv.PROMPT_DOCUMENT)
    return [*late.documents, *made]


def describe() -> list[ContextEntry]:
    """Return every key with its value and origin; the unknown ones last, with value None."""
    context = resolve()
    return [*context.entries, *context.missing]


def resource_attributes() -> dict[str, Any]:
    """Return the OTLP resource attributes of this process (a new dict)."""
    return dict(resolve().resource)


def forget() -> None:
    """Look at everything again at the next call (for tests, and for `whence.tracing.reset`)."""
    global _fast, _late  # noqa: PLW0603 - as above
    _fast = _late = None


def _resolve() -> _Fast:
    global _fast  # noqa: PLW0603 - as above
    pid, declared, late = os.getpid(), dict(settings.declared), _late
    version = settings.version
    fast = _fast
    if fast is None or (fast.pid, fast.declared) != (pid, declared):
        basis = layers.find_basis(
            layers.look_at_program(), layers.find_folder(), declared, read_current_git
        )
        evidence, _ = layers.collect(layers.FAST, basis)
    elif fast.late is late and fast.version is version:
        return fast
    else:
        basis, evidence = fast.basis, fast.evidence
    context = build(evidence, late)
    documents: tuple[Document, ...] = ()
    if late is not None:
        context, documents = _add_manifest(context, late, version, basis)
    fast = _Fast(pid, declared, version, basis, evidence, late, context, documents)
    _fast = fast
    return fast


def _add_manifest(
    context: Context, late: Late, version: DeclaredVersion, basis: Basis
) -> tuple[Context, tuple[Document, ...]]:
    """Return the context with the digest of this version's manifest, and the manifest's texts."""

    def describe() -> Described:
        from whence.sdk.context.manifest import describe_version  # loaded with the late layers

        return describe_version(
            context.entries,
            late.installed,
            version,
            head=basis.state.commit if basis.state is not None else None,
            ancestors=late.ancestors,
        )

    described = layers.guard(describe)
    if described is None:
        return context, ()
    entry = ContextEntry(semconv.MANIFEST, described.digest, MANIFEST_SOURCE)
    entries = (*context.entries, entry)
    resource = {
        **context.resource,
        resource_name(semconv.MANIFEST): described.digest,
        semconv.PROVENANCE: provenance(entries),
    }
    return Context(entries, context.missing, resource), described.documents


def build(evidence: Evidence, late: Late | None) -> Context:
    """Return the context that the evidence of the fast and of the late layers amounts to."""
    merged = {source: dict(said) for source, said in evidence.items()}
    for source, said in (late.evidence if late is not None else {}).items():
        merged[source] = {**said, **merged.get(source, {})}
    entries, missing = rank(merged)
    resource: dict[str, Any] = _sdk_attributes()
    for entry in entries:
        value = entry.value or ""
        resource[resource_name(entry.key)] = int(value) if entry.key in INTEGERS else value
    resource[semconv.PROVENANCE] = provenance(entries)
    return Context(entries=entries, missing=missing, resource=resource)


def _sdk_attributes() -> dict[str, str]:
    attributes = {"telemetry.sdk.name": SDK_NAME, "telemetry.sdk.language": "python"}
    from importlib.metadata import PackageNotFoundError, version

    with contextlib.suppress(PackageNotFoundError, OSError):  # a tree that nobody installed
        attributes["telemetry.sdk.version"] = version(SDK_NAME)
    return attributes
