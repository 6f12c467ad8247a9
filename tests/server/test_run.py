"""The server's process at its edges: no stream for errors, and a close that fails."""

from __future__ import annotations

import faulthandler
import sys
from types import SimpleNamespace

from whence.server import run


def test_a_server_without_a_stream_for_errors_or_without_the_signal_starts(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    run._answer_signal()
    monkeypatch.delattr(faulthandler, "register")
    run._answer_signal()


def test_a_close_that_fails_is_logged_and_tells_the_exit_code(caplog):
    def fail():
        raise RuntimeError("the disk is gone")

    assert [str(one) for one in run._close(SimpleNamespace(close=fail))] == ["the disk is gone"]
    assert "could not be closed" in caplog.text
    assert run._close(SimpleNamespace(close=list)) == []
