"""What an MLflow client posts about a trace, and what becomes of a second post.

`Header` has the fields of MLflow's TraceInfo in our units. Posts of one trace are merged into one
header: a missing key may be filled, a present key never changes, and what contradicts is refused.
`state` may go from IN_PROGRESS to OK or ERROR. Keys that are absent by `is_absent` are not merged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from whence.semconv import ABSENT_WHERE_EMPTY, EXPERIMENT_ID, PROVENANCE

if TYPE_CHECKING:
    from collections.abc import Mapping

IN_PROGRESS = "IN_PROGRESS"
FINAL_STATES = ("OK", "ERROR")
_SCALARS = (
    "experiment_id",
    "request_time_ms",
    "duration_ns",
    "client_request_id",
    "request_preview",
    "response_preview",
)


class Header(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A trace as its client describes it; absent is None. `received_at_us` is the first post's."""

    trace_id: str
    experiment_id: str | None = None
    request_time_ms: int | None = None
    duration_ns: int | None = None
    state: str | None = None
    client_request_id: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    trace_metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    assessments: list[dict[str, Any]] = []
    received_at_us: int = 0


class Refusal(msgspec.Struct, frozen=True):
    """A value that came too late for its key; `source` says what carried it.

    `of_trace`: the key is a field of the trace (`state`, `duration_ns`, …), else one of metadata.
    """

    key: str
    refused: str
    source: str
    of_trace: bool = False


def is_absent(key: str, value: str) -> bool:
    """Tell whether metadata says nothing: an empty source, or no key of metadata at all."""
    return not key or key == PROVENANCE or (not value and key.startswith(ABSENT_WHERE_EMPTY))


def drop_absent(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata that says something."""
    return {key: value for key, value in metadata.items() if not is_absent(key, value)}


def merge_headers(first: Header, second: Header) -> tuple[Header, list[Refusal]]:
    """Fill what `first` lacks from `second`; return what `second` would have changed."""
    refusals = []
    kept_metadata, new_metadata = map(drop_absent, (first.trace_metadata, second.trace_metadata))
    merged = msgspec.structs.replace(
        first,
        trace_metadata={**new_metadata, **kept_metadata},
        tags={**second.tags, **first.tags},
        assessments=first.assessments or second.assessments,
    )
    for key, value in new_metadata.items():
        if kept_metadata.get(key, value) != value:
            refusals.append(Refusal(key, value, "header"))
    for field in _SCALARS:
        kept, new = getattr(first, field), getattr(second, field)
        if kept is None:
            setattr(merged, field, new)
        elif new is not None and new != kept:
            key = EXPERIMENT_ID if field == "experiment_id" else field
            refusals.append(Refusal(key, str(new), "header", of_trace=True))
    if first.state not in FINAL_STATES:
        merged.state = second.state if second.state in FINAL_STATES else first.state
    elif second.state in FINAL_STATES and second.state != first.state:
        refusals.append(Refusal("state", second.state or "", "header", of_trace=True))
    return merged, refusals


def encode_header(header: Header) -> str:
    """Return the JSON text that `headers` stores."""
    return msgspec.json.encode(header).decode()


_decoder = msgspec.json.Decoder(Header)  # made before any thread: see `whence.otlp.json`


def decode_header(text: str) -> Header:
    """Read a stored header."""
    return _decoder.decode(text)
