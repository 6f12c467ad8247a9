"""What the names of a span's attributes tell, worked out once for every set of names.

A program sends the same few sets of names again and again, so the tables of `semconv` are searched
once per set (the names in their order) and not once per span. Bounded; the values are never kept.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from whence import semconv
from whence.entities.surrogates import clean
from whence.ingest.canon import REPOSITORY_NAMES
from whence.ingest.cost import COST_KEYS
from whence.ingest.documents import DOCUMENT_ATTRIBUTES
from whence.ingest.tokens import USAGE_KEYS

Names = tuple[str, ...]

# A repository's address may hold a password; nothing of it is stored.
REPOSITORY_KEYS = frozenset(
    prefix + name
    for prefix in ("", semconv.METADATA_PREFIX, *semconv.METADATA_SOURCE_PREFIXES)
    for name in REPOSITORY_NAMES
)
# What speaks of the whole process or trace, and is no attribute of a span or of its resource.
_OF_SPAN = (semconv.PROVENANCE, semconv.ASSESSMENTS)
_OF_RESOURCE = (semconv.PROVENANCE, *DOCUMENT_ATTRIBUTES)


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Which of a span's attributes may say what, in the order in which they are asked."""

    inputs: Names  # the first key that holds them, alone; or all the indexed ones
    outputs: Names
    indexed: bool  # inputs or outputs are spread over indexed attributes
    models: Names
    providers: Names
    usage: bool
    cost: bool
    texts: tuple[tuple[str, str], ...]  # what is kept: the key, and as it is stored
    repositories: Names


MAX_KEPT_CHARS = 4_000_000
_kept_chars = [0]  # of the shapes read since all were forgotten


@lru_cache(maxsize=4096)
def read_shape(names: Names) -> Shape:
    """Return what the names of a span's attributes tell."""
    _make_room(sum(map(len, names)))
    inputs = _first(semconv.INPUT_KEYS, names)
    outputs = _first(semconv.OUTPUT_KEYS, names)
    prefixes = (*semconv.INDEXED_INPUT_PREFIXES, *semconv.INDEXED_OUTPUT_PREFIXES)
    texts = keep_texts(names, (*inputs, *outputs, *_OF_SPAN))
    return Shape(
        inputs=inputs,
        outputs=outputs,
        indexed=not (inputs and outputs) and any(name.startswith(prefixes) for name in names),
        models=tuple(key for key in semconv.MODEL_KEYS if key in names),
        providers=tuple(key for key in semconv.PROVIDER_KEYS if key in names),
        usage=not USAGE_KEYS.isdisjoint(names),
        cost=not COST_KEYS.isdisjoint(names),
        texts=texts,
        repositories=find_repositories(names),
    )


def _make_room(chars: int) -> None:
    """Forget all shapes where the names of those that are kept would be too long together."""
    _kept_chars[0] += chars
    if _kept_chars[0] > MAX_KEPT_CHARS:
        read_shape.cache_clear()
        _kept_chars[0] = chars


def keep_texts(names: Names, leave: Names = _OF_RESOURCE) -> tuple[tuple[str, str], ...]:
    """Return the keys that are stored as attributes, each with its clean form."""
    return tuple((name, clean(name)) for name in names if name not in leave)


def find_repositories(names: Names) -> Names:
    """Return the keys that hold a repository's address."""
    return tuple(name for name in names if name in REPOSITORY_KEYS)


def _first(keys: Names, names: Names) -> Names:
    return next(((key,) for key in keys if key in names), ())
