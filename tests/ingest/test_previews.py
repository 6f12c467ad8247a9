"""A preview shows the last words of the user or the assistant, else the JSON."""

from __future__ import annotations

import json

import pytest

from whence.ingest.previews import make_preview

USER = [
    {"role": "user", "content": "first"},
    {"role": "assistant", "content": "answer"},
    {"role": "user", "content": "last"},
    {"role": "tool", "content": "42"},
]


@pytest.mark.parametrize(
    ("value", "role", "expected"),
    [
        ({"messages": USER}, "user", "last"),
        ({"messages": USER}, "assistant", "answer"),
        ({"messages": USER}, "system", "42"),
        ({"choices": [{"message": {"role": "assistant", "content": "x"}}]}, "assistant", "x"),
        ({"input": USER}, "user", "last"),
        ({"output": USER}, "assistant", "answer"),
        ({"request": {"messages": USER}}, "user", "last"),
        (USER, "user", "last"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "t"}]}]}, "user", "t"),
        ([{"role": "user", "parts": [{"type": "text", "content": "p"}]}], "user", "p"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "user", None),
        ({"messages": []}, "user", None),
        ({"x": 1}, "user", None),
        ("text", "user", None),
        (None, "user", None),
        ([1, 2], "user", None),
        ({"choices": [None]}, "assistant", None),
    ],
)
def test_the_words_are_found(value, role, expected):
    text = json.dumps(value)
    assert make_preview(text, role) == (text if expected is None else expected)


def test_nothing_has_no_preview():
    assert make_preview("", "user") is None


def test_a_long_preview_is_cut_to_1000_characters():
    preview = make_preview(json.dumps("x" * 5000), "user")
    assert len(preview) == 1000
    assert preview.endswith("x...")
