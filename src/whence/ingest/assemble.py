"""The one assembly rule: a trace row is a pure function of the spans and the header stored.

Any order and any repetition of deliveries that don't contradict each other gives the same row;
where they contradict, `claims` says who wins. Linear in the spans, plus one sort of their sizes.

State: the header's OK or ERROR; else the root's once it ended (`whence.state`, else ERROR where
its status is, else OK); without a true root the same of the first local root that ended; else
IN_PROGRESS. An IN_PROGRESS header says nothing about a trace whose root has ended, and its numbers
and times no longer count (`header.drop_running`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whence import semconv
from whence.ingest import claims
from whence.ingest.cost import TOTAL_COST, parse_cost, sum_cost
from whence.ingest.header import (
    FINAL_STATES,
    IN_PROGRESS,
    Header,
    Refusal,
    cut_value,
    drop_running,
)
from whence.ingest.jsontext import to_json
from whence.ingest.provenance import COUNTED, encode_sources
from whence.ingest.tokens import INPUT, OUTPUT, TOTAL, parse_usage, sum_usage
from whence.ingest.tree import find_speakers
from whence.store.rows import ConflictRow, TraceRow

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from whence.ingest.cost import Cost
    from whence.ingest.facts import SpanFacts
    from whence.ingest.tokens import Usage

MAX_NAME_CHARS = 4096
_NS_PER_MS = 1_000_000
_MAX_INT64 = 2**63 - 1


def assemble(
    trace_id: str,
    spans: Collection[SpanFacts],
    header: Header | None = None,
    *,
    refusals: Sequence[Refusal] = (),
    default_experiment_id: str = semconv.DEFAULT_EXPERIMENT_ID,
    environment_aliases: Mapping[str, str] | None = None,
    version: int = 0,
    at_us: int = 0,
) -> tuple[TraceRow, list[ConflictRow]]:
    """Return the trace's row and its conflicts.

    `refusals` are values that were turned away before they could be stored (of a second final
    record of a span, of a second header). `version` and `at_us` go into the rows as they are.
    `environment_aliases` are a user's own (`semconv.normalise_environment`).
    """
    ranks = claims.rank_spans(spans)
    header = _drop_outdated(header, ranks)
    said = claims.claim_metadata(header, ranks)
    experiment_id, late = claims.claim_experiment(header, spans, default_experiment_id)
    state = _read_state(header, ranks)
    metadata = said.metadata
    counted, usage, cost = _count(spans, header, metadata)
    if said.cut:
        counted[semconv.TRUNCATED] = ",".join(sorted(said.cut))[: semconv.MAX_VALUE_CHARS]
    metadata.update(counted)
    sources = {**said.sources, **dict.fromkeys(counted, COUNTED)}
    kept = dict(metadata)
    columns = {
        column: metadata.pop(key, None) for key, column in semconv.COLUMN_OF_METADATA.items()
    }
    row = TraceRow(
        experiment_id=experiment_id,
        trace_id=trace_id,
        request_time_ms=_read_request_time(header, ranks, spans),
        duration_ns=_read_duration(header, ranks, spans),
        state=state,
        trace_name=_read_name(header, ranks),
        environment=_name_environment(kept, environment_aliases),
        metadata=metadata,
        tags=claims.claim_tags(header, ranks),
        client_request_id=_read_text(header, ranks, "client_request_id"),
        request_preview=_read_text(header, ranks, "request_preview"),
        response_preview=_read_text(header, ranks, "response_preview"),
        span_count=len(spans),
        error_count=sum(span.error for span in spans),
        input_tokens=usage.get(INPUT),
        output_tokens=usage.get(OUTPUT),
        total_tokens=usage.get(TOTAL),
        cost_usd=cost.get(TOTAL_COST),
        size_bytes=sum(span.size_bytes for span in spans),
        models=sorted({span.model for span in spans if span.model}),
        provenance=encode_sources(sources),
        version=version,
        **columns,  # type: ignore[arg-type]
    )
    lost = [Refusal(key, value, source) for (key, value), source in said.conflicts.items()]
    return row, _list_conflicts(row, kept, (*lost, *late, *refusals), at_us)


def read_fields(ranks: claims.Ranks, spans: Collection[SpanFacts]) -> dict[str, Any]:
    """Return what the spans alone say of their trace, by field of its header; None: nothing yet."""
    has_ended = any(root.end_time_ns for root in ranks.roots[:1])
    return {
        "state": _read_state(None, ranks),
        "request_time_ms": _read_request_time(None, ranks, spans),
        "duration_ns": _read_duration(None, ranks, spans) if has_ended else None,
        "client_request_id": _read_text(None, ranks, "client_request_id"),
        "request_preview": _read_text(None, ranks, "request_preview"),
        "response_preview": _read_text(None, ranks, "response_preview"),
    }


def is_complete(row: TraceRow) -> bool:
    """Tell whether the row belongs into `traces`, rather than `open_traces`."""
    return row.state != IN_PROGRESS


def _drop_outdated(header: Header | None, ranks: claims.Ranks) -> Header | None:
    """Return the header without what it said while a trace ran that has ended since."""
    if header is None or header.state != IN_PROGRESS or _read_state(None, ranks) == IN_PROGRESS:
        return header
    return drop_running(header)


def _name_environment(metadata: Mapping[str, str], aliases: Mapping[str, str] | None) -> str | None:
    verbatim = metadata.get(semconv.ENVIRONMENT)
    return None if verbatim is None else semconv.normalise_environment(verbatim, aliases)


def _list_conflicts(
    row: TraceRow, kept: dict[str, str], refusals: Sequence[Refusal], at_us: int
) -> list[ConflictRow]:
    fields = {semconv.EXPERIMENT_ID: row.experiment_id}
    rows: dict[tuple[str, str], ConflictRow] = {}
    for refusal in refusals:
        key = refusal.key
        value = kept.get(key)
        if refusal.of_trace:
            value = cut_value(fields.get(key) or getattr(row, key))
        if value != refusal.refused:
            rows.setdefault(
                (key, refusal.refused),
                ConflictRow(
                    trace_id=row.trace_id,
                    key=key,
                    kept=value or "",
                    absent=int(value is None),
                    refused=refusal.refused,
                    source=refusal.source,
                    at_us=at_us,
                ),
            )
    return [rows[key] for key in sorted(rows)]


def _read_state(header: Header | None, ranks: claims.Ranks) -> str:
    if header is not None and header.state in FINAL_STATES:
        return header.state
    candidates = ranks.roots[:1] or [span for span in ranks.local_roots if span.end_time_ns][:1]
    for span in candidates:
        if span.end_time_ns:
            if span.state in FINAL_STATES:
                return span.state or IN_PROGRESS
            return "ERROR" if span.error else "OK"
    return IN_PROGRESS


def _read_request_time(
    header: Header | None, ranks: claims.Ranks, spans: Collection[SpanFacts]
) -> int:
    if header is not None and header.request_time_ms is not None:
        return header.request_time_ms
    for span in (*ranks.roots[:1], *ranks.local_roots[:1]):
        return span.start_time_ns // _NS_PER_MS
    return min((span.start_time_ns for span in spans), default=0) // _NS_PER_MS


def _read_duration(
    header: Header | None, ranks: claims.Ranks, spans: Collection[SpanFacts]
) -> int | None:
    if header is not None and header.duration_ns is not None:
        return header.duration_ns
    for root in ranks.roots[:1]:
        if root.end_time_ns:
            return max(0, root.end_time_ns - root.start_time_ns)
    end_time_ns = max((span.end_time_ns for span in spans), default=0)
    if not end_time_ns:
        return None
    return max(0, end_time_ns - min(span.start_time_ns for span in spans))


def _read_name(header: Header | None, ranks: claims.Ranks) -> str | None:
    if header is not None and header.tags.get(semconv.TRACE_NAME_TAG):
        return header.tags[semconv.TRACE_NAME_TAG][:MAX_NAME_CHARS]
    for span in (*ranks.roots[:1], *ranks.local_roots[:1]):
        return span.name[:MAX_NAME_CHARS]
    return None


def _read_text(header: Header | None, ranks: claims.Ranks, field: str) -> str | None:
    for source in (header, *ranks):
        text = getattr(source, field, None)
        if isinstance(text, str):
            return text
    return None


def _count(
    spans: Collection[SpanFacts], header: Header | None, stated: Mapping[str, str]
) -> tuple[dict[str, str], Usage, Cost]:
    """Return the metadata counted from the spans, and the tokens and the cost that count.

    What the header or the program states of tokens and cost outranks what the spans add up to.
    """
    usage, cost = _sum_up(spans)
    counted = _measure(spans, header)
    if usage and semconv.TOKEN_USAGE not in stated:
        counted[semconv.TOKEN_USAGE] = to_json(usage)
    else:
        usage = parse_usage(stated.get(semconv.TOKEN_USAGE))
    if cost and semconv.COST not in stated:
        counted[semconv.COST] = to_json(cost)
    else:
        cost = parse_cost(stated.get(semconv.COST))
    return counted, usage or {}, cost or {}


def _sum_up(spans: Collection[SpanFacts]) -> tuple[Usage | None, Cost | None]:
    """Return tokens and cost of the tree."""
    users = {span.span_id: span.usage for span in spans if span.usage}
    payers = {span.span_id: span.cost for span in spans if span.cost}
    if not users and not payers:
        return None, None
    parent_of = {span.span_id: span.parent_id for span in spans}
    using = paying = find_speakers(parent_of, sorted(users))
    if payers.keys() != users.keys():
        paying = find_speakers(parent_of, sorted(payers))
    return sum_usage(users[one] for one in using), sum_cost(payers[one] for one in paying)


def _measure(spans: Collection[SpanFacts], header: Header | None) -> dict[str, str]:
    """Return the sizes of the spans. A header keeps its own; a program can't set them."""
    if not spans:
        return {}
    stated = header.trace_metadata if header is not None else {}
    sizes = sorted(span.size_bytes for span in spans)
    total = sum(sizes)
    measured: dict[str, str] = {}
    if semconv.SIZE_BYTES not in stated:
        measured[semconv.SIZE_BYTES] = str(min(total, _MAX_INT64))
    if semconv.SIZE_STATS not in stated:
        measured[semconv.SIZE_STATS] = to_json(
            {
                "total_size_bytes": total,
                "num_spans": len(sizes),
                "max": sizes[-1],
                "p25": _interpolate(sizes, 25),
                "p50": _interpolate(sizes, 50),
                "p75": _interpolate(sizes, 75),
            }
        )
    return measured


def _interpolate(ordered: list[int], percent: int) -> int:
    position, rest = divmod((len(ordered) - 1) * percent, 100)
    low = ordered[position]
    high = ordered[min(position + 1, len(ordered) - 1)]
    return low + (high - low) * rest // 100
