"""Conversations: the traces that share a session id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.entities.session import Session
from whence.errors import InvalidInputError
from whence.sdk.reading.client import iter_traces, narrow_filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.entities.trace import Trace

HAS_SESSION = "session IS NOT NULL"
SESSIONS_AT_ONCE = 50
QUOTES = ("'", '"')


def search_sessions(
    max_results: int = 100,
    run_id: str | None = None,
    model_id: str | None = None,
    include_spans: bool = True,
    locations: list[str] | None = None,
) -> list[Session]:
    """Return the sessions that traces were seen in last, each with all its traces, oldest first.

    At most `max_results` sessions, the one with the newest trace first. `locations` are experiment
    ids, by default the active experiment; `run_id` and `model_id` count only traces of theirs.
    The headers of traces are read newest first until that many sessions were seen, then the
    traces of 50 sessions at a time.

    >>> import whence
    >>> whence.search_sessions(max_results=10, locations=["123"])
    []
    """
    if isinstance(max_results, bool) or not isinstance(max_results, int) or max_results < 1:
        raise InvalidInputError(f"`max_results` must be a positive integer, got {max_results}.")
    narrowed = narrow_filter(None, run_id=run_id, model_id=model_id)
    within = f" AND {narrowed}" if narrowed else ""
    ids: dict[str, list[Trace]] = {}
    headers = iter_traces(HAS_SESSION + within, locations=locations, include_spans=False)
    for trace in headers:
        session = trace.info.session
        if session is not None:
            ids.setdefault(session, [])
        if len(ids) == max_results:
            break
    named = list(ids)
    for start in range(0, len(named), SESSIONS_AT_ONCE):
        chosen = named[start : start + SESSIONS_AT_ONCE]
        for text, wanted in _name_sessions(chosen):
            found = iter_traces(
                text + within,
                locations=locations,
                order_by=["timestamp ASC"],
                include_spans=include_spans,
            )
            for trace in found:
                if trace.info.session in wanted:
                    ids[trace.info.session].append(trace)
    return [Session(traces) for traces in ids.values() if traces]


def _name_sessions(ids: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return filters that together find these sessions, each with those that it is asked for.

    A text in a filter has no escapes. In an id with both kinds of quotes one kind becomes the
    wildcard of one character, so that such a filter may find more than it is asked for.
    """
    plain = [one for one in ids if any(quote not in one for quote in QUOTES)]
    odd = [one for one in ids if one not in plain]
    texts = ", ".join(_quote(one) for one in plain)
    filters = [(f"session IN ({texts})", plain)] if plain else []
    return filters + [(f"session LIKE {_quote(one.replace(QUOTES[0], '_'))}", [one]) for one in odd]


def _quote(text: str) -> str:
    quote = QUOTES[0] if QUOTES[0] not in text else QUOTES[1]
    return f"{quote}{text}{quote}"
