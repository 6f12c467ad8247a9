"""Comparisons as Python asks for them: windows of time, and the examples of the docstrings."""

from __future__ import annotations

import doctest
from datetime import datetime, timedelta, timezone

import pytest

from whence.errors import InvalidInputError
from whence.sdk.reading import comparisons
from whence.sdk.reading.comparisons import compare, read_window

HOUR_MS = 3_600_000


def test_the_examples_in_docstrings_run(experiment):
    assert doctest.testmod(comparisons).failed == 0


def test_a_length_of_time_ends_now():
    for given, hours in (("12h", 12), ("7d", 168), ("2 w", 336), (timedelta(hours=3), 3)):
        since, until = read_window(given)
        now_ms = datetime.now(timezone.utc).timestamp() * 1000
        assert until is None
        assert since == pytest.approx(now_ms - hours * HOUR_MS, abs=60_000)


def test_borders_are_datetimes_texts_or_milliseconds():
    moment = datetime(2026, 11, 23, 18, tzinfo=timezone.utc)
    ms = int(moment.timestamp() * 1000)
    for given in (moment, "2026-11-23T18:00+00:00", "2026-11-23T18:00Z", "2026-11-23T18:00", ms):
        assert read_window((given, None)) == (ms, None)
    assert read_window((None, moment)) == (None, ms)
    assert read_window(None) == (None, None)


@pytest.mark.parametrize("wrong", ["fortnight", "7", ("yesterday", None)])
def test_a_window_that_can_not_be_read_says_how_to_write_it(wrong):
    with pytest.raises(InvalidInputError, match="write"):
        read_window(wrong)


def test_one_text_is_no_list(experiment):
    with pytest.raises(InvalidInputError, match="list of strings"):
        compare("1", "2", metrics="duration")
