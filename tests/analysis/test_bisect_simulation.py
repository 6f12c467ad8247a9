"""Bisections of simulated traffic through the comparison's judge: few wrong names, none for nothing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

WHERE = Path(__file__).parents[2] / "scripts" / "bisect_simulation.py"


def load_script():
    spec = importlib.util.spec_from_file_location("bisect_simulation", WHERE)
    script = importlib.util.module_from_spec(spec)
    # Its dataclasses look for their module.
    import sys

    sys.modules[spec.name] = script
    spec.loader.exec_module(script)
    return script


SCRIPT = load_script()


@pytest.mark.parametrize("name", ["+25 %", "+25 %, two versions of 3 sessions", "no change"])
def test_no_version_is_named_wrongly(name):
    case = next(one for one in SCRIPT.CASES if one.name == name)
    found = SCRIPT.simulate(case, 20)
    assert found.wrong == 0
    assert found.held == found.moved
    assert (found.named > 0) == (case.slower > 0)


@pytest.mark.slow
@pytest.mark.parametrize("case", SCRIPT.CASES, ids=lambda case: case.name)
def test_wrong_names_are_fewer_than_one_in_twenty(case):
    found = SCRIPT.simulate(case, 300, seed=2)
    assert found.wrong <= 0.05 * max(1, found.named) + 2
    assert found.held >= 0.95 * found.moved
    if case.slower:
        assert found.wrong < found.halved_wrong
    else:
        assert found.named <= 0.01 * found.runs
