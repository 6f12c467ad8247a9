"""What tracing costs the calling thread, beside the bare OpenTelemetry SDK and the peers.

    python -m bench.calling_thread [--quick] [--rounds 7]

The measured programs and what they do are described in `bench/traced/driver.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.alone import run_alone
from bench.harness import Figure, Options, Scenario
from bench.traced import Run, programs, run_rounds, sinking

if TYPE_CHECKING:
    from collections.abc import Callable

MODES = "sync,paced,async,threads,disabled"
# figure, mode, what of it
FIGURES = (
    ("one after the other, CPU of the thread", "sync", "cpu_us"),
    ("one after the other, wall clock", "sync", "wall_us"),
    ("one after the other, median", "sync", "p50_us"),
    ("one after the other, 99th percentile", "sync", "p99_us"),
    ("paced, median", "paced", "p50_us"),
    ("paced, 99th percentile", "paced", "p99_us"),
    ("async, 20 tasks, CPU of the thread", "async", "cpu_us"),
    ("async, 20 tasks, wall clock", "async", "wall_us"),
    ("4 threads, CPU of the threads", "threads", "cpu_us"),
    ("4 threads, wall clock", "threads", "wall_us"),
)
COMPARED = ("sync", "async", "threads")
BY_OTEL = 0.5
BY_MLFLOW = 1 / 20
TAIL = 5.0


def measure(options: Options) -> list[Figure]:
    """Return the costs of a trace for every subject, and how they compare."""
    with sinking() as url:
        found = run_rounds(options, programs(options), MODES, url)
    figures = [
        Figure(
            name=name,
            subject=subject,
            unit="µs a trace",
            values=[run.modes[mode][what] for run in runs],
            note=_note(runs),
        )
        for name, mode, what in FIGURES
        for subject, runs in found.items()
    ]
    for subject, runs in found.items():
        at_most = TAIL if subject == "whence" else None
        if subject != "no tracing":
            figures += [
                Figure(
                    name=f"99th percentile / median, {mode}",
                    subject=subject,
                    unit="",
                    values=[run.modes[mode]["p99_us"] / run.modes[mode]["p50_us"] for run in runs],
                    at_most=at_most,
                )
                for mode in ("sync", "paced")
            ]
        if calls := [run.modes["disabled"]["call_us"] for run in runs if run.modes["disabled"]]:
            figures.append(
                Figure(
                    name="a decorated call, tracing disabled",
                    subject=subject,
                    unit="µs",
                    values=calls,
                    at_most=1.0 if subject == "whence" else None,
                )
            )
    for other, at_most in (("opentelemetry", BY_OTEL), ("mlflow", BY_MLFLOW)):
        if other in found:
            figures += _compare(found, other, at_most)
    return figures


def _note(runs: list[Run]) -> str:
    last = runs[-1]
    dropped = sum(run.lost or 0 for run in runs)
    words = [last.version, last.attributes, f"{dropped} spans dropped" if dropped else ""]
    return ", ".join(word for word in words if word not in ("", "-"))


def _compare(found: dict[str, list[Run]], other: str, at_most: float) -> list[Figure]:
    """Return ours divided by the other's, of the same round."""

    def ratio(mode: str, what: str) -> list[float]:
        base: Callable[[Run], float] = lambda run: run.modes[mode][what]  # noqa: E731
        return [
            base(ours) / base(theirs)
            for ours, theirs in zip(found["whence"], found[other], strict=True)
        ]

    return [
        Figure(
            name=f"{mode}, {words}: / {other}",
            subject="whence",
            unit="",
            values=ratio(mode, what),
            at_most=at_most,
        )
        for mode in COMPARED
        for words, what in (("CPU", "cpu_us"), ("wall clock", "wall_us"))
    ]


SCENARIO = Scenario(
    name="calling_thread",
    title="What tracing costs the calling thread",
    text=(
        "One trace of five nested decorated calls, arguments and results captured, two metadata "
        "keys said in it. The bare OpenTelemetry SDK, with its batch processor and its OTLP/HTTP "
        "exporter, captures nothing: two attributes a span. All export meanwhile, to a process "
        "that answers 200 (MLflow to its own server). Async: twenty tasks that take turns at every "
        "step; what the loop itself costs is in the row without tracing."
    ),
    run=measure,
    subjects=("whence", "opentelemetry"),
)


if __name__ == "__main__":
    run_alone(SCENARIO)
