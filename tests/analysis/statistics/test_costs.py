"""Shapley's split: parts add up, each planted cause lands in its own part."""

from __future__ import annotations

import numpy as np
import pytest

from whence.analysis.statistics.costs import Usage, split_cost, split_product
from whence.errors import InvalidInputError

RANDOM = np.random.default_rng(12)


def usage(
    n: int, *, tokens: float = 500, prices: tuple[float, ...] = (1e-6, 5e-6), share: float = 0.2
) -> Usage:
    model = (RANDOM.random(n) < share).astype(int)
    counts = RANDOM.poisson(tokens, n).astype(float)
    return Usage(
        model, counts, counts * np.array(prices)[model], np.arange(n) // 4, n, np.full(n // 4, 4.0)
    )


@pytest.mark.parametrize(
    ("name", "change"),
    [("tokens", {"tokens": 800}), ("price", {"prices": (2e-6, 10e-6)}), ("models", {"share": 0.5})],
)
def test_a_planted_cause_lands_in_its_part(name, change):
    b, c = usage(4000), usage(4000, **change)
    parts = {one.name: one for one in split_cost(b, c)}
    difference = c.cost.sum() / c.n - b.cost.sum() / b.n
    assert sum(one.effect for one in parts.values()) == pytest.approx(difference, rel=1e-9)
    assert parts[name].effect == pytest.approx(difference, rel=0.15) and parts[name].low > 0
    assert all(abs(one.effect) < 0.12 * difference for key, one in parts.items() if key != name)


def test_swapping_the_arms_turns_every_sign():
    b, c = usage(400), usage(800, tokens=700, share=0.4)
    forth, back = split_cost(b, c), split_cost(c, b)
    assert [one.effect for one in forth] == pytest.approx([-one.effect for one in back])
    assert [one.low for one in forth] == pytest.approx([-one.high for one in back])


def test_the_intervals_hold_the_truth():
    """200 pairs of equal arms: the tokens' part covers zero in 95 %."""
    covered = 0
    for _ in range(200):
        part = next(one for one in split_cost(usage(400), usage(400)) if one.name == "models")
        covered += part.low <= 0 <= part.high
    assert covered >= 178


def test_a_model_that_arrives_is_mix_not_price():
    b, c = usage(2000, share=0.0), usage(2000, share=0.5)
    parts = {one.name: one.effect for one in split_cost(b, c)}
    assert abs(parts["price"]) < 1e-15 < parts["models"]


def test_empty_arms_and_cost_without_tokens():
    nothing = Usage(np.zeros(0, int), np.zeros(0), np.zeros(0), np.zeros(0, int), 0, np.zeros(0))
    assert all(np.isnan(one.effect) and one.low is None for one in split_cost(nothing, usage(40)))
    image = Usage(
        np.zeros(40, int), np.zeros(40), np.full(40, 0.02), np.arange(40), 40, np.ones(40)
    )
    parts = {one.name: one.effect for one in split_cost(image, image)}
    assert parts["untold"] == 0.0


def test_products_are_split_without_a_rest():
    parts = split_product([2.0, 100.0], [3.0, 90.0])
    assert sum(parts) == pytest.approx(3 * 90 - 2 * 100) and parts == pytest.approx([95.0, -25.0])
    with pytest.raises(InvalidInputError, match="same ones for both"):
        split_product([1.0], [1.0, 2.0])
