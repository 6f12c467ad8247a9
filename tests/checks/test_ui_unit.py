"""The UI's own checks: types, lint and the unit tests of its models, by the Node of the wheel."""

from __future__ import annotations

from pathlib import Path

import hatch_build
import pytest
import ui_types

UI = Path(__file__).resolve().parents[2] / "ui"


@pytest.fixture(scope="module", autouse=True)
def _packages():
    hatch_build.install_packages(UI, everything=True)


@pytest.mark.parametrize("script", ["check", "lint", "test"])
def test_the_ui_passes(script):
    hatch_build.run_npm(UI, "run", script)


def test_the_types_are_those_of_the_server():
    assert ui_types.render_types() == ui_types.SCHEMA.read_text(encoding="utf-8"), "`just docs`"
