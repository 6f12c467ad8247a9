"""The order of versions: what people mean, one place for every text, the same in the engine."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.query.generate import TEXTS

from whence.query.versions import sort_key, sort_key_sql

IN_ORDER = (
    "",
    "main",
    "unknown",
    "0",
    "0.0.1",
    "v0.9",
    "1.9.9",
    "1.10.0-alpha",
    "1.10.0-alpha.1",
    "1.10.0-alpha.2",
    "1.10.0-alpha.11",
    "1.10.0-alpha.beta",
    "1.10.0-beta",
    "1.10.0-rc1",
    "1.10.0-rc2",
    "1.10.0-rc10",
    "1.10",
    "1.10.0",
    "v1.10.0",
    "1.10.0+build.5",
    "1.10.0-5-g1a2b3c4",
    "1.10.1a1",
    "1.10.1b1",
    "1.10.1.dev3",
    "1.10.1rc1",
    "1.10.1",
    "1.10.1.post1",
    "2.9.1-rc1",
    "2.9.1",
    "2.9.1-dirty",
    "2.10.0",
    "10.0.0",
    "2024.1.2",
    "99999999999999999999.0",
)

versions = st.one_of(
    st.sampled_from([*IN_ORDER, *TEXTS]),
    st.from_regex(
        r"\Av?[0-9]{1,3}(\.[0-9]{1,2}){0,3}([-._+]?(rc|alpha|dev|post|x)?[.]?[0-9]{0,2})\Z"
    ),
    st.text(alphabet="01.-vrc+ab\n\x00é", max_size=8),
    st.text(max_size=6).filter(lambda text: text.isprintable()),
)


def test_versions_stand_in_the_order_that_people_mean():
    assert tuple(sorted(set(IN_ORDER), key=sort_key)) == IN_ORDER


@given(versions, versions, versions)
def test_the_order_is_total_transitive_and_tells_any_two_texts_apart(one, two, three):
    assert (sort_key(one) < sort_key(two)) + (sort_key(one) > sort_key(two)) + (one == two) == 1
    if sort_key(one) <= sort_key(two) <= sort_key(three):
        assert sort_key(one) <= sort_key(three)


@given(st.integers(0, 10**30), st.integers(0, 10**30))
def test_numbers_count_as_numbers_however_long(one, two):
    assert (sort_key(f"1.{one}") < sort_key(f"1.{two}")) is (one < two)


@given(
    st.from_regex(r"\A[0-9]{1,4}(\.[0-9]{1,4}){0,3}\Z"),
    st.sampled_from(["-rc1", "rc1", ".dev3", "-alpha.1", "a1", "-SNAPSHOT"]),
)
def test_a_pre_release_comes_before_its_release(release, mark):
    assert sort_key(release + mark) < sort_key(release)


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(versions, min_size=1, max_size=40))
def test_the_engine_computes_the_same_key(chdb_store, texts):
    sql = f"SELECT text, hex({sort_key_sql('text')}) FROM (SELECT arrayJoin({{texts:Array(String)}}) AS text)"
    for text, key in chdb_store.query(sql, {"texts": texts}).rows:
        assert bytes.fromhex(key) == sort_key(text)[0]
