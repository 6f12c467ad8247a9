"""Runs one scenario from the command line and prints its figures: `python -m bench.NAME`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness import Options, write_line

if TYPE_CHECKING:
    from bench.harness import Scenario


def run_alone(scenario: Scenario, *, rounds: int = 7) -> None:
    """Measure. Environments of peers and stores are kept in `--work`."""
    parser = argparse.ArgumentParser(description=scenario.title)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "whence-bench")
    parser.add_argument("--peers", default="opentelemetry", help="separated by commas")
    parser.add_argument("--sizes", default="10000,1000000", help="traces in the searched stores")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    options = Options(
        quick=given.quick,
        rounds=1 if given.quick else given.rounds,
        work=given.work,
        sizes=(2000,) if given.quick else tuple(map(int, given.sizes.split(","))),
        peers=tuple(filter(None, given.peers.split(","))),
    )
    for figure in scenario.run(options):
        print(write_line(figure), flush=True)
