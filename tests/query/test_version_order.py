"""Versions stand in the order of their commits, else of version numbers, else of first sight."""

from __future__ import annotations

import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whence.query.version_order import Placed, order_versions
from whence.query.versions import sort_key


def order(*versions, ancestors=None):
    placed = [Placed(name, frozenset(commits), seen) for name, commits, seen in versions]
    return [placed[number].name for number in order_versions(placed, ancestors or {})]


def test_numbers_count_and_not_their_text():
    assert order(("1.10", (), 1), ("1.9", (), 2), ("1.2", (), 3)) == ["1.2", "1.9", "1.10"]


def test_ancestry_is_stronger_than_numbers():
    versions = (("2.0", ("a",), 5), ("1.5", ("b",), 1))
    assert order(*versions) == ["1.5", "2.0"]
    assert order(*versions, ancestors={"b": ["x", "a"]}) == ["2.0", "1.5"]


def test_ancestry_is_followed_through_versions_in_between():
    ancestors = {"c": ["b"], "b": ["a"]}
    versions = (("main-3", ("c",), 1), ("main-1", ("a",), 2), ("main-2", ("b",), 3))
    assert order(*versions, ancestors=ancestors) == ["main-1", "main-2", "main-3"]


def test_what_is_no_number_stands_where_it_was_first_seen():
    versions = (("zulu", (), 1), ("alpha", (), 2), ("1.0", (), 3), (None, (), 4), ("0.9", (), 9))
    assert order(*versions) == ["zulu", "alpha", None, "0.9", "1.0"]


def test_a_circle_of_claims_ends_in_some_order():
    ancestors = {"a": ["b"], "b": ["c"], "c": ["a"]}
    versions = (("1", ("a",), 1), ("2", ("b",), 2), ("3", ("c",), 3))
    assert sorted(order(*versions, ancestors=ancestors)) == ["1", "2", "3"]


def test_two_that_claim_each_other_are_ordered_by_number():
    ancestors = {"a": ["b"], "b": ["a"]}
    assert order(("2", ("a",), 1), ("1", ("b",), 2), ancestors=ancestors) == ["1", "2"]


names = st.one_of(st.none(), st.sampled_from(["main", "zeta", "1.2", "1.10", "1.9", "2.0-rc1"]))
commits = st.frozensets(st.sampled_from("abcdef"), max_size=2)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(names, commits, st.integers(0, 5)), max_size=8, unique_by=lambda one: one[:2]
    ),
    st.permutations("abcdef"),
    st.integers(0, 6),
)
def test_any_history_is_respected_and_no_order_depends_on_the_input_s(versions, line, known):
    ancestors = {one: line[:place][::-1] for place, one in enumerate(line[:known])}
    placed = [Placed(*one) for one in versions]
    found = order_versions(placed, ancestors)
    assert sorted(found) == list(range(len(placed)))
    mirrored = order_versions(placed[::-1], ancestors)
    assert [placed[::-1][number] for number in mirrored] == [placed[number] for number in found]
    if not known:
        releases = [placed[number].name for number in found]
        releases = [name for name in releases if name is not None and name[0].isdigit()]
        assert releases == sorted(releases, key=sort_key)


def test_a_thousand_versions_take_a_moment():
    line = [f"{number:040x}" for number in range(1000)]
    ancestors = {one: line[max(0, place - 200) : place][::-1] for place, one in enumerate(line)}
    placed = [Placed(f"v{-n}", frozenset({one}), -n) for n, one in enumerate(line)]
    started = time.process_time()
    assert order_versions(placed, ancestors) == list(range(1000))
    assert time.process_time() - started < 2
