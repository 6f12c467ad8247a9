"""What a run leaves: one JSON file, written anew after every figure.

A scenario that was run again replaces what the file had of it, and keeps its own commit and date,
so that a page never passes off an old figure as a new one. Results of another machine are dropped.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path

import msgspec

from bench.harness import Figure  # noqa: TC001 - msgspec reads the annotations

ROOT = Path(__file__).parents[1]
PAGE_RESULTS = Path(__file__).with_name("results.json")
FSYNCS = 50


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it ran. `fsync_ms` is the median of writing 4 kB durably where the stores were."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    filesystem: str
    fsync_ms: float

    def resembles(self, other: Machine) -> bool:
        """Tell whether figures of both may stand on one page."""
        same = ("processor", "cores", "system", "python")
        return all(getattr(self, name) == getattr(other, name) for name in same)


class Outcome(msgspec.Struct, kw_only=True):
    """What one scenario found."""

    name: str
    title: str
    text: str
    commit: str
    date: str
    seconds: float = 0.0
    busy_before: float = 0.0  # the share of the cores that others used just before it began
    error: str = ""
    figures: list[Figure] = msgspec.field(default_factory=list)


class Results(msgspec.Struct, kw_only=True):
    """Everything that the page is made of."""

    machine: Machine
    command: str
    rounds: int
    sizes: list[int]
    peers: list[str]
    packages: dict[str, dict[str, str]]  # by subject: what its environment holds
    outcomes: list[Outcome] = msgspec.field(default_factory=list)

    def outcome(self, name: str) -> Outcome | None:
        """Return what a scenario found, if it was run."""
        return next((one for one in self.outcomes if one.name == name), None)

    def put(self, outcome: Outcome, order: list[str]) -> None:
        """Take in what a scenario found, in place of what it found before."""
        known = {one.name: one for one in self.outcomes} | {outcome.name: outcome}
        places = {name: place for place, name in enumerate(order)}
        self.outcomes = sorted(known.values(), key=lambda one: places.get(one.name, len(places)))


def read(path: Path) -> Results:
    """Read a file of results."""
    return msgspec.json.decode(path.read_bytes(), type=Results)


def write(results: Results, path: Path) -> None:
    """Write it, whole or not at all."""
    text = msgspec.json.format(msgspec.json.encode(results), indent=1)
    beside = path.with_suffix(".part")
    beside.write_bytes(text + b"\n")
    beside.replace(path)


def describe_machine(work: Path) -> Machine:
    """Look at the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        processor=_read_field("/proc/cpuinfo", "model name") or platform.processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(memory / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        filesystem=_run("stat", "--file-system", "--format=%T", str(work)),
        fsync_ms=round(_time_fsync_ms(work), 2),
    )


def describe_commit() -> str:
    """Return the commit that is measured, `+` behind it where files differ."""
    commit = _run("git", "rev-parse", "--short=12", "HEAD")
    changed = _run("git", "status", "--porcelain", "--", "src", "bench", "pyproject.toml")
    results = PAGE_RESULTS.relative_to(ROOT).as_posix()
    differs = any(line[3:] != results for line in changed.splitlines())
    return f"{commit}+" if commit and differs else commit


def measure_busy(seconds: float = 1.0) -> float:
    """Return the share of all cores that is in use while this process only waits."""
    before = _read_ticks()
    time.sleep(seconds)
    idle, total = (now - then for now, then in zip(_read_ticks(), before, strict=True))
    return round(1 - idle / total, 3) if total else 0.0


def describe_now() -> str:
    """Return the time as the results say it."""
    return dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.rstrip("\n") if done.returncode == 0 else ""


def _read_field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    found = (line.partition(":")[2].strip() for line in lines if line.startswith(name))
    return next(found, "")


def _read_ticks() -> tuple[int, int]:
    """Return idle and all ticks of the processor since it started, where Linux tells."""
    try:
        ticks = list(map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9]))
    except OSError:
        return 0, 0
    return ticks[3] + ticks[4], sum(ticks)


def _time_fsync_ms(folder: Path) -> float:
    times = []
    path = folder / "fsync"
    with path.open("wb", buffering=0) as file:
        for _ in range(FSYNCS):
            file.write(b"\0" * 4096)
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    path.unlink()
    return statistics.median(times)
