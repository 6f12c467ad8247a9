"""A version with all that makes it: its code, what is installed, what the program declares.

A manifest's name is its *digest*: the SHA-256 of its canonical JSON (keys sorted, no spaces,
ASCII), so that two processes of equal content have one. It says nothing of where it runs: no
environment, no variables, no paths, no users.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec

FORMAT = 1


class PromptVersion(msgspec.Struct, frozen=True):
    """A prompt's text by its SHA-256 (`hash`) and its length in UTF-8.

    `text_hash` names what is kept of it: the same, or another hash where only the beginning is.
    """

    hash: str
    bytes: int
    text_hash: str

    @property
    def is_cut(self) -> bool:
        """Whether only the beginning of the text is kept."""
        return self.text_hash != self.hash


class VersionManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a version what it is; None and {} are unknown or none.

    `distributions` are those installed, {name: version}, and `distributions_hash` their SHA-256.
    `prompts`, `models` and `parameters` are what the program declared by `whence.version`.
    """

    format: int = FORMAT
    app_version: str | None = None
    service: str | None = None
    commit: str | None = None
    branch: str | None = None
    repository: str | None = None
    dirty: bool | None = None
    dirty_hash: str | None = None
    python: str | None = None
    distributions: dict[str, str] = {}
    distributions_hash: str | None = None
    prompts: dict[str, PromptVersion] = {}
    models: dict[str, str] = {}
    parameters: dict[str, Any] = {}

    def to_text(self) -> str:
        """Return the canonical JSON."""
        return canonical_json(msgspec.to_builtins(self))

    @property
    def digest(self) -> str:
        """The name of this manifest: 64 hex digits."""
        return digest_of(self.to_text())


def canonical_json(value: Any) -> str:
    """Return JSON of which there is one for each value: keys sorted, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest_of(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, as 64 hex digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read_manifest_text(text: str) -> VersionManifest:
    """Return what a manifest's text says. Raises `msgspec.DecodeError` where it is none."""
    return msgspec.json.decode(text.encode("utf-8", "surrogatepass"), type=VersionManifest)
