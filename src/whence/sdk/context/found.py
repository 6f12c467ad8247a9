"""What the layers of the context yield: facts about this process, each with where it was found."""

from __future__ import annotations

import msgspec


class Found(msgspec.Struct, frozen=True):
    """A value and its origin.

    `key` is a metadata key, or an OpenTelemetry resource attribute for a fact that has none.
    `value` is text and never empty: what is unknown is not yielded. `source` says where the value
    comes from, in the words of `whence context` (`.git`, `env GITHUB_SHA`, `configure()`).
    """

    key: str
    value: str
    source: str


class Document(msgspec.Struct, frozen=True):
    """A text that belongs to the whole process, kept once for each hash, such as its diff."""

    kind: str
    hash: str
    text: str
