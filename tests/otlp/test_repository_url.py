"""An address keeps what names the repository and loses what opens it."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.otlp import repository_url
from whence.otlp.repository_url import strip_credentials


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://example.com/a/b.git", "https://example.com/a/b.git"),
        ("https://ann@example.com/a/b", "https://example.com/a/b"),
        ("https://ghp_token@example.com:8443/a/b", "https://example.com:8443/a/b"),
        ("https://ann:p@ss/w@rd@example.com/a/b", "https://example.com/a/b"),
        ("https://ann:pa/ss@example.com/a", "https://example.com/a"),
        ("https://example.com/@scope/name", "https://example.com/@scope/name"),
        ("https://example.com:8443/@scope/name", "https://example.com:8443/@scope/name"),
        ("https://example.com/a?private_token=x#y", "https://example.com/a"),
        ("http://:token@example.com/a", "http://example.com/a"),
        ("ssh://git@example.com:22/a", "ssh://git@example.com:22/a"),
        ("ssh://git:secret@example.com/a", "ssh://git@example.com/a"),
        ("git@example.com:a/b.git", "git@example.com:a/b.git"),
        ("example.com:a/b.git", "example.com:a/b.git"),
        ("ann:token@example.com:a/b.git", "example.com:a/b.git"),
        ("ann:to@ken@example.com:a/b", "example.com:a/b"),
        ("/srv/git/a@b.git", "/srv/git/a@b.git"),
        ("../other", "../other"),
        ("file:///srv/git/a", "file:///srv/git/a"),
        ("codecommit::eu-west-1://profile@app", "codecommit::eu-west-1://app"),
        ("", ""),
    ],
)
def test_an_address_keeps_what_is_public_and_loses_the_rest(url: str, clean: str):
    assert strip_credentials(url) == clean


WORD = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20)


@given(user=WORD, secret=WORD)
def test_no_password_survives_in_any_form(user: str, secret: str):
    marked = f"SECRET{secret}SECRET"
    for url in (
        f"https://{user}:{marked}@example.com/a/b",
        f"https://x:{marked}@example.com",
        f"ssh://{user}:{marked}@example.com/a",
    ):
        assert "SECRET" not in strip_credentials(url)


@given(st.text())
def test_any_text_is_taken_for_an_address(text: str):
    strip_credentials(text)


def test_the_examples_of_addresses_are_true():
    assert doctest.testmod(repository_url).failed == 0
