"""Cost in USD: what the program states, else tokens times the bundled prices of `genai-prices`.

No network, ever: the price list is the one inside the installed package. An unknown model or an
unknown provider has no cost, because a wrong figure is worse than none. Agents are not priced:
the model calls below them are.
"""

from __future__ import annotations

from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from whence import semconv
from whence.ingest.dialects import Attributes, read_number, to_number
from whence.ingest.jsontext import from_json
from whence.ingest.tokens import CACHE_CREATION, CACHE_READ, INPUT, OUTPUT, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

Cost = dict[str, float]

INPUT_COST, OUTPUT_COST, TOTAL_COST = "input_cost", "output_cost", "total_cost"
COST_KEYS = frozenset(
    (
        semconv.LLM_COST,
        *semconv.INPUT_COST_KEYS,
        *semconv.OUTPUT_COST_KEYS,
        *semconv.TOTAL_COST_KEYS,
    )
)
_MAX_MODEL_CHARS = 200  # longer is no model name; keeps the price list's own cache small
_HOUR_NS = 3_600_000_000_000
_MAX_TIME_S = 4_102_444_800  # 2100-01-01: beyond, a clock is wrong and today's prices do


def read_cost(
    attributes: Attributes,
    *,
    span_type: str,
    model: str,
    provider: str,
    usage: Usage | None,
    start_time_ns: int,
) -> Cost | None:
    """Return a span's cost, stated or computed, or None."""
    stated = parse_cost(attributes.get(semconv.LLM_COST))
    if stated is not None:
        return stated
    stated = _complete(
        read_number(attributes, semconv.INPUT_COST_KEYS),
        read_number(attributes, semconv.OUTPUT_COST_KEYS),
        read_number(attributes, semconv.TOTAL_COST_KEYS),
    )
    if stated is not None:
        return stated
    if not usage or not model or span_type == semconv.AGENT_SPAN_TYPE:
        return None
    return _compute_cost(model, provider, usage, start_time_ns)


def parse_cost(value: Any) -> Cost | None:
    """Return the amounts in an object (or its JSON text) of MLflow's form, or None."""
    if isinstance(value, str):
        value = from_json(value)
    if not isinstance(value, dict):
        return None
    amounts = (to_number(value.get(name)) for name in (INPUT_COST, OUTPUT_COST, TOTAL_COST))
    return _complete(*amounts)


def sum_cost(costs: Iterable[Cost]) -> Cost | None:
    """Add costs up; None when there is none."""
    total: Cost = {}
    for cost in costs:
        for name in (INPUT_COST, OUTPUT_COST, TOTAL_COST):
            total[name] = total.get(name, 0.0) + cost.get(name, 0.0)
    return {name: round(amount, 12) for name, amount in total.items()} or None


def _complete(
    input_cost: float | None, output_cost: float | None, total: float | None
) -> Cost | None:
    if input_cost is None and output_cost is None and total is None:
        return None
    spent, earned = float(input_cost or 0.0), float(output_cost or 0.0)
    return {
        INPUT_COST: spent,
        OUTPUT_COST: earned,
        TOTAL_COST: spent + earned if total is None else float(total),
    }


def _compute_cost(model: str, provider: str, usage: Usage, start_time_ns: int) -> Cost | None:
    cached = usage.get(CACHE_READ, 0) + usage.get(CACHE_CREATION, 0)
    tokens = usage.get(INPUT, 0)
    if cached > tokens:  # some providers leave the cached tokens out of the input tokens
        tokens += cached
    if (tokens, usage.get(OUTPUT, 0)) == (0, 0) or len(model) > _MAX_MODEL_CHARS:
        return None
    if _is_unpriced(model, provider):
        return None
    amounts = _price(
        model,
        provider,
        tokens,
        usage.get(OUTPUT, 0),
        usage.get(CACHE_READ, 0),
        usage.get(CACHE_CREATION, 0),
        start_time_ns // _HOUR_NS,
    )
    return dict(amounts) if amounts is not None else None


@lru_cache(maxsize=4096)
def _is_unpriced(model: str, provider: str) -> bool:
    """Tell whether the list has no price, once per model: looking an unknown one up is slow."""
    return _price(model, provider, 1, 1, 0, 0, 0) is None


@lru_cache(maxsize=16384)
def _price(
    model: str,
    provider: str,
    input_tokens: int,
    output_tokens: int,
    cache_read: int,
    cache_creation: int,
    hour: int,
) -> Cost | None:
    """Ask the price list (some 70 µs), by the hour, because a few providers have cheap hours."""
    from genai_prices import Usage as PricedUsage
    from genai_prices import calc_price

    time_s = hour * 3600
    try:
        price = calc_price(
            PricedUsage(
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                cache_read_tokens=cache_read or None,
                cache_write_tokens=cache_creation or None,
            ),
            model,
            provider_id=provider or None,
            genai_request_timestamp=datetime.fromtimestamp(time_s, timezone.utc)
            if 0 < time_s < _MAX_TIME_S
            else None,
        )
    except (LookupError, ValueError):
        return None
    return {
        INPUT_COST: float(price.input_price),
        OUTPUT_COST: float(price.output_price),
        TOTAL_COST: float(price.total_price),
    }
