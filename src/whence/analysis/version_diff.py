"""What changed from one version to another: code, dependencies, prompts, models, parameters, place.

Compared are the manifests that most traces of each version name, and what was seen of both. Where a
version has no manifest (another OpenTelemetry SDK, an MLflow client), what only a manifest tells is
left out, and `notes` say so. Prompts are compared line by line where both texts are kept and short
enough; a longer one is said to differ.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from whence import semconv
from whence.entities.version_diff import (
    Change,
    CommitChange,
    PromptChange,
    SeenChange,
    VersionDiff,
    VersionSide,
)
from whence.entities.version_manifest import VersionManifest
from whence.query.version_detail import read_version
from whence.store.ancestors import read_ancestors
from whence.store.documents import read_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from whence.entities.version import Counted, VersionDetail
    from whence.entities.version_manifest import PromptVersion
    from whence.query.version_source import Selection
    from whence.store.connection import Store

MAX_DIFF_CHARS = 100_000  # of each text, and a hundredth as many lines
MAX_DIFF_LINES = 1_000
CONTEXT_LINES = 3


_NO_MANIFEST = VersionManifest()
_CODE = {
    "branch": "branch",
    "repository": "repository",
    "python": "python",
    "dirty": "dirty",
    "dirty_hash": "dirty_hash",
}


def diff_versions(store: Store, selection: Selection, before: str, after: str) -> VersionDiff:
    """Compare two versions by their names. Raises NotFoundError and InvalidInputError."""
    old, new = (read_version(store, selection, name) for name in (before, after))
    one, other = (_choose(side) or _NO_MANIFEST for side in (old, new))
    comparable = _choose(old) is not None and _choose(new) is not None
    if not comparable:
        one = other = _NO_MANIFEST
    return VersionDiff(
        before=_describe(old),
        after=_describe(new),
        commits=_compare_commits(store, old, new),
        code=_compare(
            {name: getattr(one, field) for name, field in _CODE.items()},
            {name: getattr(other, field) for name, field in _CODE.items()},
        ),
        dependencies=_compare(one.distributions, other.distributions),
        prompts=_compare_prompts(store, one.prompts, other.prompts),
        models=_compare(one.models, other.models),
        parameters=_compare(one.parameters, other.parameters),
        models_requested=_only(old.seen.models_requested, new.seen.models_requested),
        models_answered=_only(old.seen.models_answered, new.seen.models_answered),
        tools=_only(old.seen.tools, new.seen.tools),
        span_names=_only(old.seen.span_names, new.seen.span_names),
        deployment=_compare(_place(old), _place(new)),
        notes=_note(old, new),
    )


def _describe(side: VersionDetail) -> VersionSide:
    return VersionSide(
        name=side.name,
        kind=side.kind,
        manifest=next((one.digest for one in side.manifests if one.manifest is not None), None),
        summary=side.summary,
        environments=side.environments,
    )


def _choose(side: VersionDetail) -> VersionManifest | None:
    """Return the manifest of the most traces."""
    return next((one.manifest for one in side.manifests if one.manifest is not None), None)


def _compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    names = dict.fromkeys([*before, *after])
    return [
        Change(name, before.get(name), after.get(name))
        for name in sorted(names)
        if (name in before, before.get(name)) != (name in after, after.get(name))
    ]


def _place(side: VersionDetail) -> dict[str, list[str]]:
    """Return where a version runs: its environments, and what metadata says of the place."""
    environments = sorted(row.environment for row in side.environments if row.environment)
    found = {key: sorted(one.value for one in seen) for key, seen in side.seen.deployment.items()}
    return {"environment": environments, **found} if environments else found


def _only(before: Iterable[Counted], after: Iterable[Counted]) -> SeenChange:
    old, new = list(before), list(after)
    known, fresh = ({one.value for one in side} for side in (old, new))
    return SeenChange(
        [one for one in old if one.value not in fresh],
        [one for one in new if one.value not in known],
    )


def _compare_commits(store: Store, old: VersionDetail, new: VersionDetail) -> CommitChange:
    before, after = (_commit_of(side) for side in (old, new))
    repository = next(
        (one.repository for one in map(_choose, (new, old)) if one and one.repository), None
    )
    order, count = "unknown", None
    if before is not None and before == after:
        order, count = "same", 0
    elif before is not None and after is not None:
        ancestors = read_ancestors(store, [before, after])
        if before in ancestors.get(after, ()):
            order, count = "forward", ancestors[after].index(before) + 1
        elif after in ancestors.get(before, ()):
            order, count = "backward", ancestors[before].index(after) + 1
    return CommitChange(before=before, after=after, order=order, count=count, repository=repository)


def _commit_of(side: VersionDetail) -> str | None:
    chosen = _choose(side)
    if chosen is not None and chosen.commit is not None:
        return chosen.commit
    return side.summary.commits[0].commit if side.summary.commits else None


def _compare_prompts(
    store: Store, before: Mapping[str, PromptVersion], after: Mapping[str, PromptVersion]
) -> list[PromptChange]:
    changed = [
        (name, before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
    hashes = {one.text_hash for _, *sides in changed for one in sides if one is not None}
    texts = read_texts(store, semconv.PROMPT_DOCUMENT, hashes)
    return [_compare_prompt(name, old, new, texts) for name, old, new in changed]


def _compare_prompt(
    name: str, old: PromptVersion | None, new: PromptVersion | None, texts: Mapping[str, str]
) -> PromptChange:
    sides = [one for one in (old, new) if one is not None]
    diff, note = None, ""
    if any(one.text_hash not in texts for one in sides):
        note = "the text is not kept: only its hash and length were sent"
    else:
        first, second = (
            texts[one.text_hash].splitlines() if one is not None else [] for one in (old, new)
        )
        size = max(sum(map(len, lines)) for lines in (first, second))
        if size > MAX_DIFF_CHARS or max(len(first), len(second)) > MAX_DIFF_LINES:
            note = f"too long to compare line by line ({size} characters)"
        else:
            diff = list(difflib.unified_diff(first, second, n=CONTEXT_LINES, lineterm=""))[2:]
            if any(one.is_cut for one in sides):
                note = "of a prompt of more than 1 MiB only the beginning is kept"
    return PromptChange(name=name, before=old, after=new, diff=diff, note=note)


def _note(old: VersionDetail, new: VersionDetail) -> list[str]:
    """Say what makes the comparison doubtful."""
    notes = []
    for side in (old, new):
        notes += side.summary.warnings
        if _choose(side) is None:
            notes.append(
                f"{side.name} has no manifest: dependencies, prompts, declared models and "
                "parameters can't be compared"
            )
        if side.summary.manifest_count > 1 and _choose(side) is not None:
            notes.append(f"{side.name}: the manifest of the most traces was compared")
        if side.summary.dirty:
            notes.append(
                f"{side.name}: {side.summary.dirty} of {side.summary.traces} traces came from a "
                "work tree with uncommitted changes"
            )
    return notes
