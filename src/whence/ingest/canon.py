"""The canonical form: one fact, whoever tells it and by whatever name, lands in one metadata key.

`explicit` is what says metadata outright (`whence.metadata.<key>`), `derived` what the tables of
`semconv` recognise in other programs' attributes: names first, then objects and prefixes, which
fill what is missing. An empty text counts as absent, and so does what is neither JSON nor of the
kind expected. `derived_sources` names the attribute of each derived key.

Values come as JSON text, as `SpanRow.attributes` and `SpanRow.resource_json` hold them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from whence import semconv
from whence.ingest.jsontext import from_json, to_json, to_plain_text
from whence.otlp.repository_url import strip_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Texts = dict[str, str]

# Every name under which a repository's address, which may hold a password, is told.
REPOSITORY_NAMES = frozenset(
    (semconv.GIT_REPO_URL, *semconv.METADATA_SOURCES[semconv.GIT_REPO_URL])
)

_NONE: Texts = {}
_NAMES = semconv.METADATA_KEY_OF.keys()
_OBJECTS = frozenset(semconv.METADATA_SOURCE_OBJECTS)
_LABELS = frozenset(semconv.LABEL_SOURCES)
_TOLD_BY_NAME = _NAMES | _OBJECTS | _LABELS
_PREFIXES = (
    semconv.METADATA_PREFIX,
    semconv.TRACE_TAG_PREFIX,
    *semconv.METADATA_SOURCE_PREFIXES,
)


class Layers(NamedTuple):
    """What one set of attributes says of its trace."""

    explicit: Texts
    derived: Texts
    derived_sources: Texts
    tags: Texts


_NOTHING = Layers(_NONE, _NONE, _NONE, _NONE)


def read_layers(attributes: Mapping[str, str], *, of: str = "span attribute") -> Layers:
    """Read a span's attributes, or a resource's; `of` is the word that sources begin with."""
    prefixed, told = _sort_names(tuple(attributes))
    if not told and not prefixed:
        return _NOTHING
    explicit = _cut_prefixes(attributes, prefixed, semconv.METADATA_PREFIX)
    tags = _cut_prefixes(attributes, prefixed, semconv.TRACE_TAG_PREFIX)
    found: dict[str, tuple[str, str]] = {}
    if told:
        for key, text, name in (*_read_names(attributes), *_read_objects(attributes)):
            found.setdefault(key, (text, name))
        for label in _read_labels(attributes):
            tags = tags or {}
            tags.setdefault(label, semconv.LABEL_VALUE)
    for key, text, name in _read_prefixed(attributes, prefixed):
        found.setdefault(key, (text, name))
    if not found:
        return Layers(explicit, _NONE, _NONE, tags)
    derived = {key: text for key, (text, _) in found.items()}
    sources = _share_sources(of, tuple((key, name) for key, (_, name) in found.items()))
    return Layers(explicit, derived, sources, tags)


@lru_cache(maxsize=4096)
def _sort_names(names: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """Return those names that a prefix marks, and whether any name tells something by itself."""
    prefixed = tuple(name for name in names if name.startswith(_PREFIXES))
    return prefixed, not _TOLD_BY_NAME.isdisjoint(names)


def _cut_prefixes(attributes: Mapping[str, str], names: tuple[str, ...], prefix: str) -> Texts:
    found = {
        name[len(prefix) :]: to_plain_text(attributes[name])
        for name in names
        if name.startswith(prefix) and attributes[name] != "null"
    }
    return found or _NONE


def _read_prefixed(
    attributes: Mapping[str, str], names: tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    for name in names:
        prefix = next((p for p in semconv.METADATA_SOURCE_PREFIXES if name.startswith(p)), None)
        if prefix is None or name in _NAMES:
            continue
        text = to_plain_text(attributes[name])
        if text and text != "null":
            yield name[len(prefix) :], text, name


def _read_names(attributes: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield (key, text, attribute) of the first name of each key that says something."""
    if _NAMES.isdisjoint(attributes):
        return
    for key, names in semconv.METADATA_SOURCES.items():
        for name in names:
            text = attributes.get(name)
            if text is None or text in ('""', "null"):
                continue
            if name == semconv.REFERENCE_NAME and not _is_branch(attributes):
                continue
            yield key, to_plain_text(text), name
            break


def _is_branch(attributes: Mapping[str, str]) -> bool:
    kind = attributes.get(semconv.REFERENCE_TYPE)
    return kind is None or to_plain_text(kind) in ("", semconv.BRANCH_REFERENCE)


def _read_objects(attributes: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name in semconv.METADATA_SOURCE_OBJECTS:
        text = attributes.get(name, "")
        if 2 < len(text) <= semconv.MAX_OBJECT_CHARS:  # noqa: PLR2004 - `{}` and `""` say nothing
            for key, value in _parse_object(text).items():
                yield key, value, name


@lru_cache(maxsize=256)
def _parse_object(text: str) -> Texts:
    """Return the texts of an object, or of the JSON text of one; {} for anything else."""
    said = _unpack(text)
    if not isinstance(said, dict) or len(said) > semconv.MAX_OBJECT_KEYS:
        return _NONE
    texts = {
        key: value if isinstance(value, str) else to_json(value) for key, value in said.items()
    }
    for name in REPOSITORY_NAMES.intersection(texts):
        texts[name] = strip_credentials(texts[name])
    return {key: text for key, text in texts.items() if key and text and text != "null"}


def _read_labels(attributes: Mapping[str, str]) -> Iterator[str]:
    for name in semconv.LABEL_SOURCES:
        text = attributes.get(name, "")
        labels = _unpack(text) if 0 < len(text) <= semconv.MAX_OBJECT_CHARS else None
        if isinstance(labels, list):
            yield from (one for one in labels[: semconv.MAX_LABELS] if isinstance(one, str) and one)


def _unpack(text: str) -> Any:
    """Return the value of JSON text, which may be packed into a JSON string."""
    value = from_json(text)
    return from_json(value) if isinstance(value, str) else value


@lru_cache(maxsize=4096)
def _share_sources(of: str, names: tuple[tuple[str, str], ...]) -> Texts:
    return {key: f"{of} {name}" for key, name in names}
