"""What is kept of the names of attributes."""

from __future__ import annotations

from whence.ingest.shape import read_shape


def test_names_of_attributes_are_kept_for_as_long_as_they_are_short():
    read_shape.cache_clear()
    for number in range(20):
        read_shape((f"{number}" * 1_000_000,))
    assert read_shape.cache_info().currsize < 6
