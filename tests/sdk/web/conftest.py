"""Every test here sees its own spans, and leaves tracing as it found it."""

from __future__ import annotations

import pytest

import whence
from whence.testing import capture_spans


@pytest.fixture
def fresh_tracing(monkeypatch):
    for name in ("WHENCE_BAGGAGE", "WHENCE_USER_KEY", "WHENCE_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    whence.tracing.reset()
    yield
    whence.tracing.reset()


@pytest.fixture
def spans(fresh_tracing):
    with capture_spans() as captured:
        yield captured
