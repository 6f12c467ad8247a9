"""Makes docs/benchmarks.md, its pictures and README's numbers from `bench/results.json`.

    python -m bench.page

Nothing on them is written by hand but the words in this module; a test makes them anew.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from bench import headlines, pictures, results
from bench.growth import REASONS
from bench.headlines import number
from bench.results import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from bench.harness import Figure
    from bench.results import Outcome, Results

PAGE = ROOT / "docs" / "benchmarks.md"
GROWTH_PICTURE = ROOT / "docs" / "images" / "growth.svg"
PEERS_PICTURE = ROOT / "docs" / "images" / "peers.svg"
BUSY = 0.2  # of the cores, by others; figures of a machine that busy are preliminary
NAMED = {  # whose version the page states; the file of results has all
    "whence": ("whence", "chdb", "clickhouse-connect", "msgspec", "fastapi", "uvicorn"),
    "opentelemetry": ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"),
    "logfire": ("logfire", "opentelemetry-sdk"),
    "langfuse": ("langfuse", "opentelemetry-sdk"),
    "mlflow": ("mlflow", "opentelemetry-sdk"),
    "phoenix": ("arize-phoenix", "arize-phoenix-otel", "opentelemetry-sdk"),
}
OPENING = """\
# Benchmarks

<!-- Made from bench/results.json by `just bench-page`; a test keeps it fresh. -->

Everything here was measured side by side on one machine: real processes, real HTTP, the sender and
the server sharing the cores. Read it as ratios: your machine has other numbers. The command:

```sh
{command}
```

Rounds of each: {rounds} (at most 3 where a server starts for each), the order turned round every
time, after a warm-up. A figure is the median of the rounds, its spread the lowest and the highest.
Each peer runs in an environment of its own, set up as its documentation says for production:
"""
GROWTH = """\
## Growth

What a search and the ingest of a trace cost as the store grows. The exponent is the slope of the
line in the picture: 0 costs the same at every size, 1 ten times as much in a store ten times as
large.

![Cost against the size of the store, both logarithmic](images/growth.svg)
"""
SET_UPS = {
    "whence": "`whence.configure(url=…)`; `whence server` with the embedded engine",
    "opentelemetry": (
        "the bare SDK: `BatchSpanProcessor`, OTLP over HTTP with protobuf; captures nothing, two "
        "attributes a span are set by hand"
    ),
    "logfire": (
        "`send_to_logfire=False`, a `BatchSpanProcessor` with the OTLP exporter among "
        "`additional_span_processors`; `@logfire.instrument(record_return=True)`"
    ),
    "langfuse": (
        "`@observe()` and its own batch exporter; its server is not installable from a package "
        "registry, so another OTLP endpoint takes the spans"
    ),
    "mlflow": (
        "`@mlflow.trace`, asynchronous logging with the batch processor, which is its default; "
        "`mlflow server` with SQLite and its four workers"
    ),
    "phoenix": ("`phoenix.otel.register(batch=True)`, `tracer.chain`; `phoenix serve` with SQLite"),
}


def write_page(found: Results) -> str:
    """Return the page."""
    parts = [_open(found), _list_missed(found)]
    parts.append(
        "![What the peers need beside Whence](images/peers.svg)\n\n"
        "Logarithmic: a bar twice as long may be a hundred times as much.\n"
    )
    parts += [_describe(outcome, found) for outcome in found.outcomes]
    parts.append(_describe_growth(found))
    return "\n".join(parts)


def _open(found: Results) -> str:
    machine = found.machine
    dates = sorted(one.date for one in found.outcomes)
    facts = {
        "processor": f"{machine.processor}, {machine.cores} cores",
        "memory": f"{machine.memory_gb:g} GiB",
        "system": f"{machine.system}, Python {machine.python}",
        "disk": f"{machine.filesystem}; 4 kB written and synced in {machine.fsync_ms:g} ms",
        "commit": ", ".join(f"`{one}`" for one in sorted({one.commit for one in found.outcomes})),
        "date": " to ".join(dict.fromkeys([*dates[:1], *dates[-1:]])),
    }
    measured = ["whence", *found.peers]
    rows = [f"| {name} | {_list_versions(name, found)} | {SET_UPS[name]} |" for name in measured]
    return "\n".join(
        [
            OPENING.format(command=found.command, rounds=found.rounds),
            "| who | versions | set-up |",
            "|---|---|---|",
            *rows,
            "",
            "| machine | |",
            "|---|---|",
            *(f"| {name} | {fact} |" for name, fact in facts.items()),
            "",
        ]
    )


def _list_versions(subject: str, found: Results) -> str:
    known = {name.lower(): version for name, version in found.packages.get(subject, {}).items()}
    return ", ".join(f"{name} {known[name]}" for name in NAMED[subject] if name in known)


def _list_missed(found: Results) -> str:
    """Say how many promises are kept, and name those that are not."""
    judged = [
        (outcome, one)
        for outcome in found.outcomes
        for one in outcome.figures
        if one.kept is not None
    ]
    missed = [(outcome, one) for outcome, one in judged if not one.kept]
    lines = [
        "## What is promised, and kept",
        "",
        f"{len(judged) - len(missed)} of {len(judged)} bounds are kept.",
        "",
    ]
    if missed:
        lines += ["Not kept:", ""]
        lines += [
            f"- {_name(one)}: {number(one.median)} {one.unit}".rstrip()
            + f", promised {_bound(one)} ([{outcome.title.lower()}](#{_anchor(outcome.title)}))"
            for outcome, one in missed
        ]
        lines.append("")
    for outcome in found.outcomes:
        if outcome.error:
            lines += [f"**{outcome.title}** did not run to its end; see there.", ""]
    return "\n".join(lines)


def _describe(outcome: Outcome, found: Results) -> str:
    lines = [f"## {outcome.title}", ""]
    if outcome.text:
        lines += [outcome.text, ""]
    lines += ["```sh", f"uv run python -m bench --only {outcome.name}", "```", ""]
    if len({one.commit for one in found.outcomes}) > 1:
        lines += [f"Commit `{outcome.commit}`, {outcome.date}.", ""]
    if outcome.busy_before > BUSY:
        share = f"{outcome.busy_before:.0%}"
        lines += [f"Preliminary: others used {share} of the machine when it began.", ""]
    if outcome.error:
        lines += ["It did not run to its end:", "", "```text", outcome.error, "```", ""]
    if outcome.figures:
        lines += [*_tabulate(outcome.figures), ""]
        lines += [f"- {subject}: {note}" for subject, note in _shared_notes(outcome.figures)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _tabulate(figures: list[Figure]) -> list[str]:
    """Return a table with a row a figure; what was measured of several stands together."""
    groups: dict[tuple[str, int], list[Figure]] = defaultdict(list)
    for one in figures:
        groups[one.name, one.size or 0].append(one)
    several = any(one.subject != "whence" for one in figures)
    sized = any(one.size for one in figures)
    bounded = any(one.at_most is not None or one.at_least is not None for one in figures)
    shared = dict(_shared_notes(figures))
    noted = any(one.note and shared.get(one.subject) != one.note for one in figures)
    columns = {
        "what": True,
        "traces stored": sized,
        "who": several,
        "median": True,
        "spread": True,
        "of Whence's": several,
        "promised": bounded,
        "kept": bounded,
        "": noted,
    }
    shown = [name for name, wanted in columns.items() if wanted]
    rows = ["| " + " | ".join(shown) + " |", "|" + "---|" * len(shown)]
    for (name, size), group in groups.items():
        ours = next((one for one in group if one.subject == "whence" and one.values), None)
        for place, one in enumerate(sorted(group, key=lambda one: one.subject != "whence")):
            cells = {
                "what": name if place == 0 else "",
                "traces stored": f"{size:,}" if size and place == 0 else "",
                "who": one.subject,
                "median": f"{number(one.median)} {one.unit}".strip() if one.values else "failed",
                "spread": " to ".join(map(number, one.spread)) if one.values else "",
                "of Whence's": _ratio(one, ours),
                "promised": _bound(one),
                "kept": {None: "", True: "yes", False: "**no**"}[one.kept],
                "": "" if shared.get(one.subject) == one.note else one.note,
            }
            rows.append("| " + " | ".join(_cell(cells[column]) for column in shown) + " |")
    return rows


def _shared_notes(figures: list[Figure]) -> list[tuple[str, str]]:
    """Return the notes that all noted figures of a subject have in common, by subject."""
    notes: dict[str, set[str]] = defaultdict(set)
    for one in figures:
        if one.note:
            notes[one.subject].add(one.note)
    several = len({one.subject for one in figures}) > 1
    return [
        (subject, next(iter(found)))
        for subject, found in notes.items()
        if several and len(found) == 1
    ]


def _describe_growth(found: Results) -> str:
    lines = [GROWTH]
    for title, named in pictures.find_growth(found).items():
        sizes = sorted({size for points in named.values() for size, _ in points})
        if not sizes:
            continue
        head = [title, *(f"{size:,}" for size in sizes), "exponent", "why"]
        lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        for name, points in named.items():
            at = dict(points)
            cells = [name, *(number(at[size]) if size in at else "" for size in sizes)]
            cells += [f"{_exponent(points):.2f}", REASONS.get(name, "")]
            lines.append("| " + " | ".join(map(_cell, cells)) + " |")
        lines.append("")
    return "\n".join(lines)


def _exponent(points: list[tuple[int, float]]) -> float:
    """Return the slope of the straight line through the logarithms."""
    xs = [math.log(size) for size, _ in points]
    ys = [math.log(value) for _, value in points]
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    up = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True))
    return up / sum((x - x_mean) ** 2 for x in xs)


def _name(one: Figure) -> str:
    return f"{one.name} at {one.size:,} traces" if one.size else one.name


def _bound(one: Figure) -> str:
    if one.at_most is not None:
        return f"≤ {number(one.at_most)}"
    return f"≥ {number(one.at_least)}" if one.at_least is not None else ""


def _ratio(one: Figure, ours: Figure | None) -> str:
    if ours is None or one is ours or not one.values or ours.median <= 0 or one.median <= 0:
        return ""
    ratio = one.median / ours.median
    return f"{number(ratio)} times" if ratio >= 1 else f"1/{number(1 / ratio)}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def write_all(found: Results) -> dict[Path, bytes]:
    """Return every file that is made, by its path."""
    return {
        PAGE: write_page(found).encode(),
        headlines.README: headlines.write_readme(found).encode(),
        GROWTH_PICTURE: pictures.draw_growth(found),
        PEERS_PICTURE: pictures.draw_peers(found),
    }


def main() -> None:
    for path, made in write_all(results.read(results.PAGE_RESULTS)).items():
        path.write_bytes(made)
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
