"""Declared prompts: their hashes, and the part of their texts that may be kept.

Of one prompt at most `MAX_PROMPT_BYTES` are kept, of all together `MAX_KEPT_CHARS`; the rest is
known by hash and length. A text is hashed once, by the exporter's threads; one that is too long to
be kept is hashed as it is declared, and let go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from whence.entities.version_manifest import PromptVersion, digest_of
from whence.sdk import diagnostics

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_PROMPT_BYTES = 1 << 20
MAX_KEPT_CHARS = 16 << 20

_known: dict[str, Prompt] = {}  # of the texts declared last


class Prompt(NamedTuple):
    """A declared prompt as the manifest names it, and what is kept of its text, if anything."""

    version: PromptVersion
    kept: str | None


def read_prompts(declared: Mapping[str, str | Prompt]) -> dict[str, Prompt]:
    """Return prompts by name; the texts of the call before are not hashed again."""
    global _known  # noqa: PLW0603 - process-wide, as what is declared
    known = _known
    found = {
        name: one if isinstance(one, Prompt) else known.get(one) or read_prompt(one)
        for name, one in declared.items()
    }
    _known = {one: found[name] for name, one in declared.items() if isinstance(one, str)}
    _say_cut(found)
    return found


def read_prompt(text: str) -> Prompt:
    """Return a prompt's hashes; of a text that is too long the beginning is kept."""
    whole = text.encode("utf-8", "replace")
    kept = whole[:MAX_PROMPT_BYTES].decode("utf-8", "ignore")
    name = digest_of(whole.decode("utf-8"))
    text_hash = name if len(whole) <= MAX_PROMPT_BYTES else digest_of(kept)
    return Prompt(PromptVersion(name, len(whole), text_hash), kept)


def bound(declared: Mapping[str, str | Prompt]) -> dict[str, str | Prompt]:
    """Return prompts that take no more memory than they may: the first ones keep their texts."""
    bounded: dict[str, str | Prompt] = {}
    room = MAX_KEPT_CHARS
    for name, given in declared.items():
        one = read_prompt(given) if isinstance(given, str) and _is_long(given) else given
        size = len(one if isinstance(one, str) else one.kept or "")
        if size > room:
            one = (read_prompt(one) if isinstance(one, str) else one)._replace(kept=None)
            size = 0
        room -= size
        bounded[name] = one
    return bounded


def _is_long(text: str) -> bool:
    return len(text) > MAX_PROMPT_BYTES


def _say_cut(prompts: Mapping[str, Prompt]) -> None:
    for name, one in prompts.items():
        if one.kept is None:
            diagnostics.warn_once(
                "many_prompts",
                "The prompts have more than %d characters together; of %s and of those behind it "
                "only the hash and the length are kept.",
                MAX_KEPT_CHARS,
                name,
            )
        elif one.version.is_cut:
            diagnostics.warn_once(
                "long_prompt",
                "The prompt %s has %d bytes; the first %d of such prompts are kept, and the hash "
                "of the whole.",
                name,
                one.version.bytes,
                MAX_PROMPT_BYTES,
            )
