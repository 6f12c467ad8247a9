"""Where ids and times come from; the one place to make both deterministic.

Trace ids are 128-bit and span ids 64-bit integers, never 0, from a private generator: seeding
`random` changes nothing here. A forked child draws from a fresh seed. Within a trace, time is
the wall clock at its start plus a monotonic clock, so no span of a trace ends before it starts.
"""

from __future__ import annotations

import os
from _random import Random  # what `random.Random` is made of, without its 6 ms of imports
from dataclasses import dataclass
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TRACE_ID_BITS = 128
SPAN_ID_BITS = 64
TRACE_ID_PREFIX = "tr-"

_random = Random()


@dataclass
class Sources:
    """The functions in use. `draw(bits)` gives an integer of that many random bits."""

    draw: Callable[[int], int] = _random.getrandbits
    wall_ns: Callable[[], int] = time_ns
    monotonic_ns: Callable[[], int] = perf_counter_ns


sources = Sources()


def new_trace_id() -> int:
    """Return a fresh trace id."""
    return sources.draw(TRACE_ID_BITS) or 1


def new_span_id() -> int:
    """Return a fresh span id."""
    return sources.draw(SPAN_ID_BITS) or 1


def is_sampled(ratio: float) -> bool:
    """Draw whether to record, true in this share of cases."""
    return ratio >= 1.0 or _random.random() < ratio


def format_trace_id(trace_id: int) -> str:
    """Return the public form, `tr-` and 32 hex digits."""
    return f"tr-{trace_id:032x}"


def parse_trace_id(text: str) -> int | None:
    """Read `tr-` + hex or bare hex; None for an id that OpenTelemetry can't carry."""
    try:
        number = int(text.removeprefix(TRACE_ID_PREFIX), 16)
    except ValueError:
        return None
    return number if 0 < number < 1 << TRACE_ID_BITS else None


def reseed() -> None:
    """Draw from a fresh seed; a forked child would repeat its parent's ids otherwise."""
    _random.seed(int.from_bytes(os.urandom(16), "big"))
