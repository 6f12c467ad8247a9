"""What an MLflow client posts about a trace, and what becomes of a second post.

`TraceHead` has the fields of MLflow's TraceInfo in our units. Posts of one trace are merged into
one header: a missing key may be filled, a present key never changes, and what contradicts is
refused. `state` may go from IN_PROGRESS to OK or ERROR. Keys that are absent by `is_absent` are not
merged.

Times, previews and what was counted (`COUNTED_KEYS`) are not final while a trace is in progress:
there they yield to those of any other post, whichever comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from whence.errors import InvalidInputError
from whence.ingest.assessments import name_assessment
from whence.semconv import (
    ABSENT_WHERE_EMPTY,
    COST,
    EXPERIMENT_ID,
    MAX_KEY_CHARS,
    MAX_VALUE_CHARS,
    PROVENANCE,
    SIZE_BYTES,
    SIZE_STATS,
    TOKEN_USAGE,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

State = Literal["OK", "ERROR", "IN_PROGRESS"]
IN_PROGRESS: Final = "IN_PROGRESS"
FINAL_STATES = ("OK", "ERROR")
MAX_CONFLICTS = 100  # kept of a trace: of what its spans say, and of what was not stored
COUNTED_KEYS = (SIZE_BYTES, SIZE_STATS, TOKEN_USAGE, COST)
_RUNNING_FIELDS = ("request_time_ms", "duration_ns", "request_preview", "response_preview")
_SCALARS = ("experiment_id", *_RUNNING_FIELDS, "client_request_id")
FIELDS_OF_TRACE = frozenset({EXPERIMENT_ID, "state", *_SCALARS[1:]})  # that may be refused
MAX_TRACE_ID_CHARS = 250  # MLflow's tables have room for 50
SHOWN_CHARS = 100


class TraceHead(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is said of a trace beside its spans; absent is None. Assessments in MLflow's JSON."""

    trace_id: str
    experiment_id: str | None = None
    request_time_ms: int | None = None
    duration_ns: int | None = None
    state: State | None = None
    client_request_id: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    trace_metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    assessments: list[dict[str, Any]] = []


class Header(TraceHead, kw_only=True, omit_defaults=True):
    """A trace as it is described from outside. `received_at_us` is the first post's."""

    received_at_us: int = 0


class Refusal(msgspec.Struct, frozen=True):
    """A value that came too late for its key; `source` says what carried it.

    Key and value are cut as those of metadata are.

    `of_trace`: the key is a field of the trace (`state`, `duration_ns`, …), else one of metadata.
    """

    key: str
    refused: str
    source: str
    of_trace: bool = False


def cut_value(value: object) -> str:
    """Return a value as the text that is kept where it is refused."""
    return str(value)[:MAX_VALUE_CHARS]


def check_trace_id(trace_id: str, name: str = "trace_id") -> None:
    """Raise InvalidInputError where a trace can't be stored under this id."""
    if trace_id in ("", ".", "..") or "/" in trace_id:
        why = "must be a single path component"
    elif len(trace_id) > MAX_TRACE_ID_CHARS:
        why = f"{len(trace_id)} characters are too long, {MAX_TRACE_ID_CHARS} is the limit"
    else:
        return
    shown = repr(trace_id if len(trace_id) <= SHOWN_CHARS else trace_id[:SHOWN_CHARS] + "…")
    raise InvalidInputError(f"Invalid value {shown} for parameter '{name}' supplied: {why}")


def is_absent(key: str, value: str) -> bool:
    """Tell whether metadata says nothing: an empty source, or no key of metadata at all."""
    return not key or key == PROVENANCE or (not value and key.startswith(ABSENT_WHERE_EMPTY))


def drop_absent(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata that says something."""
    return {key: value for key, value in metadata.items() if not is_absent(key, value)}


def merge_headers(first: Header, second: Header) -> tuple[Header, list[Refusal]]:
    """Fill what `first` lacks from `second`; return what `second` would have changed."""
    refusals = []
    if first.state == IN_PROGRESS:
        first = drop_running(first, second)
    elif second.state == IN_PROGRESS:
        second = drop_running(second, first)
    kept_metadata, new_metadata = map(drop_absent, (first.trace_metadata, second.trace_metadata))
    merged = msgspec.structs.replace(
        first,
        trace_metadata={**new_metadata, **kept_metadata},
        tags={**second.tags, **first.tags},
        assessments=[*first.assessments, *list_new_assessments(first, second)],
    )
    for key, full_value in new_metadata.items():
        value = full_value[:MAX_VALUE_CHARS]  # as it would be stored
        if kept_metadata.get(key, value)[:MAX_VALUE_CHARS] != value:
            refusals.append(Refusal(key[:MAX_KEY_CHARS], value, "header"))
    for field in _SCALARS:
        kept, new = getattr(first, field), getattr(second, field)
        if kept is None:
            setattr(merged, field, new)
        elif new is not None and cut_value(new) != cut_value(kept):
            key = EXPERIMENT_ID if field == "experiment_id" else field
            refusals.append(Refusal(key, cut_value(new), "header", of_trace=True))
    if first.state not in FINAL_STATES:
        # A header without a state ends nothing: what a running trace said stays not final.
        merged.state = second.state if second.state in FINAL_STATES else first.state
    elif second.state in FINAL_STATES and second.state != first.state:
        refusals.append(Refusal("state", second.state, "header", of_trace=True))
    return merged, refusals


def drop_running(header: Header, other: Header | None = None) -> Header:
    """Return the header of a running trace without what is not final, as far as `other` says it."""
    stated = COUNTED_KEYS if other is None else drop_absent(other.trace_metadata)
    metadata = {
        key: value
        for key, value in header.trace_metadata.items()
        if key not in COUNTED_KEYS or key not in stated
    }
    dropped: dict[str, Any] = {
        field: None
        for field in _RUNNING_FIELDS
        if other is None or getattr(other, field) is not None
    }
    return msgspec.structs.replace(header, trace_metadata=metadata, **dropped)


def list_new_assessments(first: Header | None, second: Header) -> list[dict[str, Any]]:
    """Return the assessments that the second header has under ids that the first doesn't have."""
    known = set() if first is None else {name_assessment(one) for one in first.assessments}
    return [one for one in second.assessments if name_assessment(one) not in known]


def encode_header(header: Header) -> str:
    """Return the JSON text that `headers` stores."""
    return msgspec.json.encode(header).decode()


_decoder = msgspec.json.Decoder(Header)  # made before any thread: see `whence.otlp.json`


def decode_header(text: str) -> Header:
    """Read a stored header."""
    return _decoder.decode(text)
