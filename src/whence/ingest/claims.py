"""Who says what about a trace's metadata, and who wins: the ranks of the assembly rule.

Header over true roots, over local roots, over the other spans by (start, span id). Within a span:
`explicit`, then `derived`, then `resource`. A missing key is filled from below. Where two explicit
values differ, the higher rank wins (among true roots: the one acknowledged first) and the other
becomes a conflict. Keys longer than 250 and values longer than 8,000 characters are cut, and the
cut keys are listed under `whence.truncated`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from whence import semconv
from whence.ingest.header import Header, Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from whence.ingest.facts import SpanFacts

MAX_TAG_VALUE_CHARS = 8000
_RESERVED_TAGS = frozenset((*semconv.SERVER_TAGS, semconv.TRACE_NAME_TAG))


class Ranks(msgspec.Struct, frozen=True):
    """The spans of a trace by rank. `carriers` are those of the rest that say something."""

    roots: list[SpanFacts]
    local_roots: list[SpanFacts]
    carriers: list[SpanFacts]

    def __iter__(self) -> Iterator[SpanFacts]:
        yield from self.roots
        yield from self.local_roots
        yield from self.carriers


class Claims(msgspec.Struct):
    """The metadata that won, the explicit values that lost, and the keys that were cut."""

    metadata: dict[str, str] = {}
    explicit: set[str] = set()
    conflicts: dict[tuple[str, str], str] = {}
    cut: set[str] = set()

    def offer(self, values: dict[str, str], source: str, *, explicit: bool) -> None:
        """Take what is missing; note an explicit value that differs from an explicit one."""
        for full_key, full_value in values.items():
            key, value = full_key[: semconv.MAX_KEY_CHARS], full_value[: semconv.MAX_VALUE_CHARS]
            kept = self.metadata.get(key)
            if kept is None:
                if not key:
                    continue
                self.metadata[key] = value
                if explicit:
                    self.explicit.add(key)
                if len(key) < len(full_key) or len(value) < len(full_value):
                    self.cut.add(key)
            elif explicit and kept != value and key in self.explicit:
                self.conflicts.setdefault((key, value), source)


def rank_spans(spans: Collection[SpanFacts]) -> Ranks:
    """Sort the spans into ranks; of those that share a resource and say no more, keep the first."""
    roots, local_roots, carriers = [], [], []
    first_of_resource: dict[int, SpanFacts] = {}
    for span in spans:
        if not span.parent_id:
            roots.append(span)
        elif span.local_root:
            local_roots.append(span)
        elif _says_something(span):
            carriers.append(span)
        else:
            first = first_of_resource.get(id(span.resource))
            if first is None or _order(span) < _order(first):
                first_of_resource[id(span.resource)] = span
    carriers.extend(first_of_resource.values())
    for rank in (roots, local_roots, carriers):
        rank.sort(key=_order)
    return Ranks(roots, local_roots, carriers)


def claim_metadata(header: Header | None, ranks: Ranks) -> Claims:
    """Merge the metadata of all ranks."""
    claims = Claims()
    if header is not None:
        claims.offer(header.trace_metadata, "header", explicit=True)
    for root in sorted(ranks.roots, key=_acknowledgement):
        claims.offer(root.explicit, "root", explicit=True)
    for root in ranks.roots:
        claims.offer(root.derived, "root", explicit=False)
        claims.offer(root.resource, "root", explicit=False)
    for span in (*ranks.local_roots, *ranks.carriers):
        claims.offer(span.explicit, "span", explicit=True)
        claims.offer(span.derived, "span", explicit=False)
        claims.offer(span.resource, "span", explicit=False)
    return claims


def claim_tags(header: Header | None, ranks: Ranks) -> dict[str, str]:
    """Merge the initial tags of all ranks; the server's own are left out."""
    tags: dict[str, str] = {}
    for offered in (header.tags if header is not None else {}, *(span.tags for span in ranks)):
        for key, value in offered.items():
            if key and key not in _RESERVED_TAGS:
                tags.setdefault(key[: semconv.MAX_KEY_CHARS], value[:MAX_TAG_VALUE_CHARS])
    return tags


def claim_experiment(
    header: Header | None, spans: Iterable[SpanFacts], default: str
) -> tuple[str, list[Refusal]]:
    """Return the experiment that was acknowledged first, and those that came too late.

    The default experiment is what a trace is in as long as nobody names another.
    """
    named: dict[str, tuple[int, int, str]] = {}
    if header is not None and header.experiment_id not in (None, default):
        named[header.experiment_id or ""] = (header.received_at_us, -1, "")
    for span in spans:
        if span.experiment_id != default:
            at = _acknowledgement(span)
            if at < named.get(span.experiment_id, (2**63, 0, "")):
                named[span.experiment_id] = at
    if not named:
        return default, []
    first, *late = sorted(named, key=lambda experiment_id: (*named[experiment_id], experiment_id))
    return first, [Refusal(semconv.EXPERIMENT_ID, experiment_id, "span") for experiment_id in late]


def _says_something(span: SpanFacts) -> bool:
    return bool(
        span.explicit
        or span.derived
        or span.tags
        or span.client_request_id
        or span.request_preview
        or span.response_preview
    )


def _order(span: SpanFacts) -> tuple[int, str]:
    return (span.start_time_ns, span.span_id)


def _acknowledgement(span: SpanFacts) -> tuple[int, int, str]:
    return (span.received_at_us, span.start_time_ns, span.span_id)
