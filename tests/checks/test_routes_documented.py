"""Every route of the server and every command is in the docs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from source_tree import ROOT

from whence.cli.reference import write_reference
from whence.server.app import ROUTERS
from whence.server.settings import Settings

ROUTES = [route for make in ROUTERS for route in make(SimpleNamespace()).routes]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation_id)
def test_a_route_is_in_the_docs(route):
    page = (ROOT / "docs" / "http-api.md").read_text(encoding="utf-8")
    for method in route.methods:
        assert f"`{method} {route.path}`" in page


def test_the_command_reference_is_fresh():
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == write_reference(), "run `uv run just docs`"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_is_in_the_docs(name):
    assert f"WHENCE_{name.upper()}" in (ROOT / "docs" / "server.md").read_text(encoding="utf-8")
