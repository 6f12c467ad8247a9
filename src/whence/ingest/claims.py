"""Who says what about a trace's metadata, and who wins: the ranks of the assembly rule.

Header over true roots, over local roots, over the other spans by (start, span id). Of two true
roots the one acknowledged first is the trace's: a late one changes nothing. Within a span:
`explicit`, then `derived`, then `resource`. A missing key is filled from below, but from no
resource that contradicts the root's: that is another service's. Where two explicit values differ,
the higher rank wins and the other becomes a conflict, up to 100 in a trace. Keys longer than 250
and values longer than 8,000 characters are cut, and the cut keys are listed under
`whence.truncated`.

Unknown means absent: an empty value is no claim under MLflow's source and git keys, where clients
send '' for what they couldn't find. `sources` says of each key what told it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from whence import semconv
from whence.ingest.header import MAX_CONFLICTS, Header, Refusal, cut_value, is_absent
from whence.ingest.provenance import EXPLICIT, HEADER
from whence.ingest.tags import cut_tag
from whence.ingest.tree import find_circle

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from whence.ingest.facts import SpanFacts

Texts = dict[str, str]

_RESERVED_TAGS = frozenset((*semconv.SERVER_TAGS, semconv.TRACE_NAME_TAG))


class PlainTexts(dict[str, str]):
    """Texts of which nothing has to be cut and nothing counts as absent."""


def mark_plain(texts: Texts) -> Texts:
    """Return texts as `PlainTexts` where they are plain."""
    for key, value in texts.items():
        if (
            len(key) > semconv.MAX_KEY_CHARS
            or len(value) > semconv.MAX_VALUE_CHARS
            or is_absent(key, value)
        ):
            return texts
    return PlainTexts(texts)


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
    """The metadata that won and its sources, the explicit values that lost, the keys cut."""

    metadata: dict[str, str] = {}
    sources: dict[str, str] = {}
    explicit: set[str] = set()
    conflicts: dict[tuple[str, str], str] = {}
    cut: set[str] = set()
    offered: set[int] = set()  # the shared dicts that have been offered already

    def offer_shared(self, values: Texts, sources: Texts) -> None:
        """Take what is missing of a resource; the same dict has nothing new a second time.

        The dict must outlive these claims, as those of `facts` do.
        """
        if id(values) in self.offered:
            return
        self.offered.add(id(values))
        if type(values) is not PlainTexts:
            self.offer(values, "", sources)
        elif not self.metadata:
            self.metadata.update(values)
            self.sources.update(sources)
        else:
            for key in [key for key in values if key not in self.metadata]:
                self.metadata[key] = values[key]
                self.sources[key] = sources[key]

    def offer(self, values: Texts, rank: str, sources: Texts, otherwise: str = "") -> None:
        """Take what is missing. `sources` say where values are from, `otherwise` where they don't.

        With `otherwise` they are explicit: one that differs from an explicit one is a conflict.
        """
        for full_key, full_value in values.items():
            key, value = full_key[: semconv.MAX_KEY_CHARS], full_value[: semconv.MAX_VALUE_CHARS]
            kept = self.metadata.get(key)
            if kept is None:
                if is_absent(key, value):
                    continue
                self.metadata[key] = value
                self.sources[key] = sources.get(full_key) or otherwise
                if otherwise:
                    self.explicit.add(key)
                if len(key) < len(full_key) or len(value) < len(full_value):
                    self.cut.add(key)
            elif otherwise and kept != value and key in self.explicit and not is_absent(key, value):
                self._lose(key, value, rank)

    def _lose(self, key: str, value: str, rank: str) -> None:
        if len(self.conflicts) < MAX_CONFLICTS:
            self.conflicts.setdefault((key, value), rank)


def rank_spans(spans: Collection[SpanFacts]) -> Ranks:
    """Sort the spans into ranks; of those that share a resource and say no more, keep the first.

    Where every span has a parent that is here, no root will ever come: the first span of the
    circle that this makes takes its place.
    """
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
    if not roots and not local_roots:
        circle = find_circle({span.span_id: span.parent_id for span in spans})
        roots = sorted((span for span in spans if span.span_id in circle), key=_order)[:1]
        carriers = [span for span in carriers if span not in roots]
    roots.sort(key=_acknowledgement)
    local_roots.sort(key=_order)
    carriers.sort(key=_order)
    return Ranks(roots, local_roots, carriers)


def claim_metadata(header: Header | None, ranks: Ranks) -> Claims:
    """Merge the metadata of all ranks."""
    claims = Claims()
    if header is not None:
        claims.offer(header.trace_metadata, "header", {}, HEADER)
    for root in ranks.roots:
        claims.offer(root.explicit, "root", root.explicit_sources, EXPLICIT)
    for root in ranks.roots:
        claims.offer(root.derived, "root", root.derived_sources)
        claims.offer_shared(root.resource, root.resource_sources)
    home = next((root.resource for root in (*ranks.roots, *ranks.local_roots) if root.resource), {})
    for span in (*ranks.local_roots, *ranks.carriers):
        claims.offer(span.explicit, "span", span.explicit_sources, EXPLICIT)
        claims.offer(span.derived, "span", span.derived_sources)
        if _may_be_of_one_program(span.resource, home):
            claims.offer_shared(span.resource, span.resource_sources)
    return claims


def _may_be_of_one_program(resource: Texts, home: Texts) -> bool:
    """Tell whether a span's resource contradicts the root's nowhere.

    What another service says of itself, its commit for one, is no word about the root's.
    """
    return resource is home or all(home.get(key, value) == value for key, value in resource.items())


def claim_tags(header: Header | None, ranks: Ranks) -> dict[str, str]:
    """Merge the initial tags of all ranks; the server's own are left out."""
    tags: dict[str, str] = {}
    for offered in (header.tags if header is not None else {}, *(span.tags for span in ranks)):
        for key, value in offered.items():
            if key and key not in _RESERVED_TAGS:
                tags.setdefault(key[: semconv.MAX_KEY_CHARS], cut_tag(key, value))
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
    return first, [
        Refusal(semconv.EXPERIMENT_ID, cut_value(experiment_id), "span", of_trace=True)
        for experiment_id in late[:MAX_CONFLICTS]
    ]


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
