from __future__ import annotations

import doctest
from importlib import import_module

import pytest

MODULES = [
    "capture.decorator",
    "capture.scope",
    "capture.current",
    "configure",
    "web.pseudonyms",
]


@pytest.mark.parametrize(
    "module", [*(f"whence.sdk.{name}" for name in MODULES), "whence.tracing", "whence.testing"]
)
def test_the_examples_in_docstrings_run(spans, module):
    found = doctest.testmod(import_module(module))
    assert found.attempted > 0
    assert found.failed == 0
