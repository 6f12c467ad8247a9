"""The UI's own checks: types, lint and the unit tests of its models, by the Node of the wheel."""

from __future__ import annotations

import hatch_build
import pytest
import ui_types

from ui_packages import UI, install_ui_packages


@pytest.fixture(scope="module", autouse=True)
def _packages():
    install_ui_packages()


@pytest.mark.parametrize("script", ["check", "lint", "test"])
def test_the_ui_passes(script):
    hatch_build.run_npm(UI, "run", script)


def test_the_types_are_those_of_the_server():
    assert ui_types.render_types() == ui_types.SCHEMA.read_text(encoding="utf-8"), "`just docs`"
