"""The CPU that a traced process uses until its traces are delivered, all its threads together.

    python -m bench.delivered [--quick] [--rounds 7]

The measured programs and what they do are described in `bench/traced/driver.py`.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.alone import run_alone
from bench.harness import Figure, Options, Scenario
from bench.ingest import serving
from bench.traced import Run, programs, run_rounds

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_MOST_US = 520.0  # a fiftieth of MLflow's 26 ms
BY_MLFLOW = 1 / 50
FIGURES = (
    ("until delivered, as fast as it goes", "cpu_us", AT_MOST_US),
    ("until delivered, paced", "cpu_paced_us", AT_MOST_US),
)


@contextlib.contextmanager
def serving_anew() -> Iterator[str]:
    """Run a `whence server` on an empty store; yield its URL."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "store") as server:
        yield server.url


def measure(options: Options) -> list[Figure]:
    """Return the CPU a trace, less what the program takes without tracing."""
    with serving_anew() as url:
        found = run_rounds(options, programs(options), "delivered", url)
    bare = found.pop("no tracing")
    figures = [
        Figure(
            name=name,
            subject=subject,
            unit="µs a trace",
            values=_values(runs, bare, what),
            at_most=at_most if subject == "whence" else None,
            note=runs[-1].version,
        )
        for name, what, at_most in FIGURES
        for subject, runs in found.items()
    ]
    figures += [
        Figure(
            name="the first traces, with all that starts",
            subject=subject,
            unit="ms",
            values=_values(runs, bare, "first_cpu_ms"),
        )
        for subject, runs in found.items()
    ]
    if "mlflow" in found:
        ours, theirs = (_values(found[one], bare, "cpu_us") for one in ("whence", "mlflow"))
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        name = "until delivered, as fast as it goes: / mlflow"
        figures.append(
            Figure(name=name, subject="whence", unit="", values=ratios, at_most=BY_MLFLOW)
        )
    return figures


def _values(runs: list[Run], bare: list[Run], what: str) -> list[float]:
    return [
        one.modes["delivered"][what] - other.modes["delivered"][what]
        for one, other in zip(runs, bare, strict=True)
    ]


SCENARIO = Scenario(
    name="delivered",
    title="CPU until a trace is delivered",
    text=(
        "The same five nested calls. Counted is the CPU of the sending process, with all its "
        "threads and ended children, from the first of the traces until the server has "
        "acknowledged the last, less what the same program takes without tracing. A `whence "
        "server` receives (MLflow sends to its own server)."
    ),
    run=measure,
    subjects=("whence", "opentelemetry"),
)


if __name__ == "__main__":
    run_alone(SCENARIO)
