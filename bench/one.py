"""Runs one scenario in a process of its own; `python -m bench` starts it.

    python -m bench.one MODULE OPTIONS_AS_JSON FILE

Writes the scenario's name, title and text to the file, then every figure as it comes, a line of
JSON each, so that what was measured before a failure is kept.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import msgspec

from bench.harness import Options, Scenario


def read_options(text: str) -> Options:
    """Read what `python -m bench` hands over."""
    given = json.loads(text)
    tuples = {name: tuple(given[name]) for name in ("sizes", "peers")}
    return Options(**given | tuples | {"work": Path(given["work"])})


def main() -> None:
    module, options, file = sys.argv[1:]
    scenario: Scenario = importlib.import_module(module).SCENARIO
    with Path(file).open("wb", buffering=0) as out:
        told = {"name": scenario.name, "title": scenario.title, "text": scenario.text}
        out.write(msgspec.json.encode(told) + b"\n")
        figures = scenario.run(read_options(options))
        out.writelines(msgspec.json.encode(figure) + b"\n" for figure in figures)


if __name__ == "__main__":
    main()
