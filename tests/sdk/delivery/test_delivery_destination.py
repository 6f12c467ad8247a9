"""Where a tracking URI sends spans."""

from __future__ import annotations

from pathlib import Path

import pytest

from whence.errors import InvalidInputError
from whence.sdk.delivery.destination import LocalStore, Server, api_key, parse_destination


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("http://127.0.0.1:4320", "http://127.0.0.1:4320"),
        ("http://127.0.0.1:4320/", "http://127.0.0.1:4320"),
        ("HTTP://Example:4320/a/b/", "http://example:4320/a/b"),
        ("https://example", "https://example:443"),
        ("http://[::1]:4320", "http://[::1]:4320"),
    ],
)
def test_a_url_names_a_server(uri: str, url: str) -> None:
    destination = parse_destination(uri)
    assert isinstance(destination, Server)
    assert destination.url == url


def test_a_path_names_a_local_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert parse_destination("./.whence") == LocalStore(tmp_path / ".whence")
    assert parse_destination("mlruns") == LocalStore(tmp_path / "mlruns")
    assert parse_destination(tmp_path / "x") == LocalStore(tmp_path / "x")
    assert parse_destination("~/traces") == LocalStore(Path("/home/somebody/traces"))
    assert parse_destination("./odd:name") == LocalStore(tmp_path / "odd:name")


def test_a_file_uri_names_a_local_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_destination("file:///var/my%20traces") == LocalStore(Path("/var/my traces"))
    assert parse_destination("file://localhost/var/t") == LocalStore(Path("/var/t"))
    assert parse_destination("file:traces") == LocalStore(tmp_path / "traces")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("", "empty"),
        ("databricks", "databricks"),
        ("databricks://profile", "databricks"),
        ("sqlite:///mlflow.db", "sqlite"),
        ("postgresql+psycopg://u:p@h/db", "postgresql"),
        ("http://", "host"),
        ("http://host:port", "not a URL"),
        ("http://user:secret@host", "WHENCE_API_KEY"),
        ("http://host?a=b", "no '?'"),
        ("file://elsewhere/x", "elsewhere"),
        ("file:", "no directory"),
    ],
)
def test_anything_else_is_refused_with_what_was_expected(uri: str, said: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_destination(uri)
    assert said in caught.value.message
    assert "secret" not in caught.value.message


def test_the_api_key_is_ours_or_mlflows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHENCE_API_KEY", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)
    assert api_key() is None
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "theirs\n")
    assert api_key() == "theirs"
    monkeypatch.setenv("WHENCE_API_KEY", "ours")
    assert api_key() == "ours"
