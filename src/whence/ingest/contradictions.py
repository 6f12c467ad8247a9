"""What a header may still say of a trace whose spans are known: what is missing, and nothing else.

The header of an MLflow client and its own spans are one delivery in two parts: they may come in any
order, and the header outranks the spans (`claims`), once: after a header in a final state, they
count as said for all later ones. Another program's root speaks for its trace
itself: what it and its spans said before a header came is present, and stays. So such a header is
sifted before it is stored: what repeats the spans adds nothing, what differs is a `Refusal`, and
the rest fills the trace. Among these rules:

- Durations within a millisecond are the same: that is as exact as MLflow's are.
- Numbers that are counted from the spans contradict nothing, and neither do previews, which only
  render what is stored whole. A preview that is there stays.
- Tags may change at any time: the header's outrank those of the spans.
- No header moves a trace out of the experiment that its spans name, whoever recorded them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from whence import semconv
from whence.ingest import assemble, claims
from whence.ingest.header import (
    FINAL_STATES,
    IN_PROGRESS,
    Refusal,
    cut_value,
    drop_running,
    is_absent,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from whence.ingest.facts import SpanFacts
    from whence.ingest.header import Header

_NS_PER_MS = 1_000_000
_PREVIEWS = ("request_preview", "response_preview")


def sift_header(
    header: Header, spans: Collection[SpanFacts], before: Header | None, default_experiment_id: str
) -> tuple[Header, list[Refusal]]:
    """Return what of a header is news beside the spans, and what contradicts them.

    What the header `before` says is left to `merge_headers`.
    """
    refusals: list[Refusal] = []
    may_outrank = before is None or before.state not in FINAL_STATES
    if before is not None and before.state == IN_PROGRESS:
        before = msgspec.structs.replace(drop_running(before), state=None)
    dropped = _find_experiment(header, spans, before, default_experiment_id, refusals)
    if any(not (span.parent_id or (may_outrank and span.by_mlflow)) for span in spans):
        ranks = claims.rank_spans(spans)
        dropped |= _compare_fields(header, before, assemble.read_fields(ranks, spans), refusals)
        dropped["trace_metadata"] = _compare_metadata(header, before, ranks, refusals)
    return (msgspec.structs.replace(header, **dropped) if dropped else header), refusals


def _find_experiment(
    header: Header,
    spans: Collection[SpanFacts],
    before: Header | None,
    default_id: str,
    refusals: list[Refusal],
) -> dict[str, Any]:
    wanted = header.experiment_id
    if wanted in (None, default_id) or (before is not None and before.experiment_id is not None):
        return {}
    named, _ = claims.claim_experiment(None, spans, default_id)
    if named in (wanted, default_id):
        return {}
    refusals.append(Refusal(semconv.EXPERIMENT_ID, cut_value(wanted), "header", of_trace=True))
    return {"experiment_id": None}


def _compare_fields(
    header: Header, before: Header | None, said: dict[str, Any], refusals: list[Refusal]
) -> dict[str, Any]:
    """Return the fields that the spans said already, to be dropped."""
    dropped: dict[str, Any] = {}
    for field, kept in said.items():
        new = getattr(header, field)
        if None in (kept, new) or (before is not None and getattr(before, field) is not None):
            continue
        if field == "state" and (new not in FINAL_STATES or kept not in FINAL_STATES):
            continue
        dropped[field] = None
        if field not in _PREVIEWS and not _is_same(field, kept, new):
            refusals.append(Refusal(field, cut_value(new), "header", of_trace=True))
    return dropped


def _is_same(field: str, kept: Any, new: Any) -> bool:
    if field == "duration_ns":
        return bool(abs(kept - new) <= _NS_PER_MS)
    return cut_value(kept) == cut_value(new)


def _compare_metadata(
    header: Header, before: Header | None, ranks: claims.Ranks, refusals: list[Refusal]
) -> dict[str, str]:
    """Return the metadata that the spans said nothing of."""
    said = claims.claim_metadata(None, ranks).metadata
    stated = before.trace_metadata if before is not None else {}
    news = {}
    for full_key, full_value in header.trace_metadata.items():
        key, value = full_key[: semconv.MAX_KEY_CHARS], full_value[: semconv.MAX_VALUE_CHARS]
        if full_key in stated or key not in said:
            news[full_key] = full_value
        elif said[key] != value and not is_absent(key, value):
            refusals.append(Refusal(key, value, "header"))
    return news
