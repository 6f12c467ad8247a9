"""What changed from one version to another, as the server compares them: the API's own JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from whence.entities.version import Counted, VersionRow  # noqa: TC001 - msgspec reads them
from whence.entities.version_manifest import PromptVersion  # noqa: TC001 - as above


class Change(msgspec.Struct, frozen=True):
    """A name whose value changed; null on the side where there is none."""

    name: str
    before: Any
    after: Any


class PromptChange(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt that was added, removed or changed; `diff` is unified, or null with the reason."""

    name: str
    before: PromptVersion | None
    after: PromptVersion | None
    diff: list[str] | None
    note: str = ""


class SeenChange(msgspec.Struct, frozen=True):
    """What was seen on one side only, the most frequent first."""

    only_before: list[Counted]
    only_after: list[Counted]


class CommitChange(msgspec.Struct, frozen=True, kw_only=True):
    """Both commits and how they lie: `order` is `same`, `forward`, `backward` or `unknown`.

    `count` is how many commits lead from one to the other, null where unknown. A repository at hand
    (`looked_at`: of the client, by the git program or by its files) tells more: then `order` may be
    `diverged`, with the `merge_base`, and there are `authors`, `files` and the newest `subjects`.
    """

    before: str | None
    after: str | None
    order: str
    count: int | None = None
    repository: str | None = None
    looked_at: str | None = None
    merge_base: str | None = None
    authors: list[Counted] | None = None
    files: list[str] | None = None
    file_count: int | None = None
    subjects: list[str] | None = None


class VersionSide(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two versions: what it was called, the manifest that was compared, its numbers."""

    name: str
    kind: str
    manifest: str | None
    summary: VersionRow
    environments: list[VersionRow]


class VersionDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What changed from `before` to `after`. What is equal is left out.

    `code` holds branch, repository, Python and the state of the work tree. `models_requested`,
    `models_answered`, `tools` and `span_names` were seen, `models` declared.
    """

    before: VersionSide
    after: VersionSide
    commits: CommitChange
    code: list[Change]
    dependencies: list[Change]
    prompts: list[PromptChange]
    models: list[Change]
    parameters: list[Change]
    models_requested: SeenChange
    models_answered: SeenChange
    tools: SeenChange
    span_names: SeenChange
    deployment: list[Change]
    notes: list[str]

    def to_text(self) -> str:
        """Return it as plain text that a terminal can show."""
        from whence.entities.version_diff_text import write_text

        return write_text(self)

    def to_markdown(self) -> str:
        """Return it as Markdown."""
        from whence.entities.version_diff_text import write_markdown

        return write_markdown(self)

    def to_json(self) -> str:
        """Return it as JSON text."""
        return msgspec.json.encode(self).decode()
