"""README's numbers: a few medians of `bench/results.json`, and what the peers need for the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench.results import ROOT

if TYPE_CHECKING:
    from bench.harness import Figure
    from bench.results import Results

README = ROOT / "README.md"
NUMBERS = re.compile(
    r"(?<=<!-- numbers: made by `just bench-page` -->\n).*?(?=<!-- /numbers -->)", re.DOTALL
)
PEOPLE = {
    "opentelemetry": "the bare OpenTelemetry SDK, which captures nothing,",
    "logfire": "Logfire",
    "langfuse": "Langfuse",
    "mlflow": "MLflow",
    "phoenix": "Phoenix",
}
HEADLINES = (
    # scenario, figure, size, subject, text; {0} is the median with its unit
    (
        "calling_thread",
        "one after the other, CPU of the thread",
        None,
        "A trace of five spans, inputs and outputs captured, costs the calling thread {0}",
    ),
    ("delivered", "until delivered, as fast as it goes", None, "Until it is delivered: {0} of CPU"),
    (
        "ingest",
        "durable ingest (json, sdk)",
        None,
        "Ingest, answered after fsync: {0} of OTLP/JSON",
    ),
    (
        "search",
        "environment and version",
        "largest",
        "The newest 100 traces of one version in production among {1}: {0}",
    ),
    (
        "start",
        "server healthy",
        "largest",
        "The server is healthy, with {1} traces stored, after {0}",
    ),
)


def write_numbers(found: Results) -> str:
    """Return README's numbers: a few medians, and what the peers need for the same."""
    lines = []
    for scenario, name, size, text in HEADLINES:
        outcome = found.outcome(scenario)
        figures = [one for one in (outcome.figures if outcome else ()) if one.name == name]
        if size == "largest":
            most = max((one.size or 0 for one in figures), default=0)
            figures = [one for one in figures if (one.size or 0) == most]
        ours = next((one for one in figures if one.subject == "whence" and one.values), None)
        if ours is None:
            continue
        said = text.format(_quantity(ours), f"{ours.size or 0:,}")
        others = [
            f"{PEOPLE.get(one.subject, one.subject)} {_quantity(one)}"
            for one in sorted(figures, key=lambda one: one.median if one.values else 0)
            if one.values and one.subject not in ("whence", "no tracing")
        ]
        lines.append(f"- {said}" + (f" ({', '.join(others)})" if others else "") + ".")
    machine = found.machine
    where = (
        f"Medians on {machine.cores} cores ({machine.processor}), sender and server together; "
        "`uv run just bench` measures them on yours. [All figures, how the peers are set up, and "
        "what is promised but not kept](docs/benchmarks.md)."
    )
    return "\n".join(["", *lines, "", where, "", ""])


def write_readme(found: Results) -> str:
    """Return README with these numbers in it."""
    return NUMBERS.sub(lambda _: write_numbers(found), README.read_text())


def _quantity(one: Figure) -> str:
    return f"{number(one.median)} {one.unit.removesuffix(' a trace')}".strip()


def number(value: float) -> str:
    """Return three digits that count, or more where the number is large."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if value == int(value):
        return f"{value:.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"
