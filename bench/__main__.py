"""Measures everything side by side, in one run on one machine.

    python -m bench [--only NAME ...] [--peers a,b] [--sizes 10000,1000000] [--rounds 5]
                    [--out FILE] [--work FOLDER] [--quick]

Each scenario runs in a process of its own, one after the other; one that fails or takes too long is
reported with its error, and the others still run. Peers are installed when first needed, each into
an environment of its own below `--work`, where the stores are as well: it should be on a real disk.
Results are written as they come. Without `--out` they go to `bench/results.json`, from which
`python -m bench.page` makes docs/benchmarks.md. `--quick` runs everything once and small, without
peers unless named, to prove that it runs; its times mean nothing and go to `--work`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from bench import environments, results
from bench.harness import Figure, Options, write_line
from bench.results import Outcome, Results

SCENARIOS = (
    "calling_thread",
    "delivered",
    "first_span",
    "ingest",
    "ingest_peers",
    "overload",
    "search",
    "facets",
    "compare",
    "browser",
    "growth",
    "together",
    "disk",
    "start",
)
SIZES = (10_000, 100_000, 1_000_000)
QUICK_SIZES = (2_000,)
ROUNDS = 5
LIMIT_S = 5400
ERROR_CHARACTERS = 1500


class Told(msgspec.Struct):
    """The first line that a scenario's process writes."""

    name: str
    title: str
    text: str


def main() -> None:
    given = _parse(sys.argv[1:])
    options = Options(
        quick=given.quick,
        rounds=given.rounds or (1 if given.quick else ROUNDS),
        work=given.work.resolve(),
        sizes=given.sizes or (QUICK_SIZES if given.quick else SIZES),
        peers=_choose_peers(given),
    )
    options.work.mkdir(parents=True, exist_ok=True)
    out = given.out or (options.work / "quick.json" if given.quick else results.PAGE_RESULTS)
    modules = [f"bench.{name}" for name in given.only or SCENARIOS]
    found = _prepare(options, out, given)
    failed = 0
    for module in modules:
        outcome = _run(module, options, found, out, given.limit_s)
        failed += bool(outcome.error)
        print(_summarise(outcome), flush=True)
    print(f"results in {out}")
    sys.exit(1 if failed else 0)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=(__doc__ or "").partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", action="append", metavar="NAME", help=", ".join(SCENARIOS))
    parser.add_argument("--peers", help="separated by commas; an empty text: none")
    parser.add_argument("--sizes", type=_read_sizes, help="traces in the searched stores")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--work", type=Path, default=_cache_folder())
    parser.add_argument("--limit-s", type=float, default=LIMIT_S, help="for one scenario")
    parser.add_argument("--quick", action="store_true")
    return parser.parse_args(arguments)


def _read_sizes(text: str) -> tuple[int, ...]:
    return tuple(int(part.replace("_", "")) for part in text.split(","))


def _cache_folder() -> Path:
    """Return a folder on a real disk: /tmp often lies in memory, where syncing costs nothing."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whence-bench"


def _choose_peers(given: argparse.Namespace) -> tuple[str, ...]:
    known = tuple(environments.peer_pins())
    if given.peers is None:
        return () if given.quick else known
    named = tuple(name for name in given.peers.split(",") if name)
    if unknown := set(named) - set(known):
        sys.exit(f"no such peer: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return named


def _prepare(options: Options, out: Path, given: argparse.Namespace) -> Results:
    """Build the environments; return results to add to, with what `out` had of this machine."""
    subjects = (environments.OURSELVES, *options.peers)
    packages = {name: _list_packages(name, options.work) for name in subjects}
    found = Results(
        machine=results.describe_machine(options.work),
        command=_say_command(given, options),
        rounds=options.rounds,
        sizes=list(options.sizes),
        peers=list(options.peers),
        packages=packages,
    )
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        before = results.read(out)
        if given.only and before.machine.resembles(found.machine):
            found.outcomes = before.outcomes
            found.packages = before.packages | packages
            found.command, found.rounds = before.command, before.rounds
            found.sizes, found.peers = before.sizes, before.peers
    return found


def _say_command(given: argparse.Namespace, options: Options) -> str:
    """Return what a reader types for the same; where files lie is his own affair."""
    words = ["uv run python -m bench"]
    words += [f"--only {name}" for name in given.only or ()]
    if given.peers is not None:
        words.append(f"--peers '{given.peers}'")
    if given.sizes:
        words.append(f"--sizes {','.join(map(str, options.sizes))}")
    if given.rounds:
        words.append(f"--rounds {given.rounds}")
    return " ".join([*words, *(["--quick"] if given.quick else [])])


def _list_packages(subject: str, work: Path) -> dict[str, str]:
    try:
        return environments.installed(environments.python_of(subject, work))
    except environments.EnvironmentFailedError as error:
        print(f"{subject}: {error}", file=sys.stderr)  # the scenarios that need it say so again
        return {}


def _run(module: str, options: Options, found: Results, out: Path, limit_s: float) -> Outcome:
    """Run a scenario in a process of its own; write what it finds as it comes."""
    name = module.rpartition(".")[2]
    print(f"--- {name}", file=sys.stderr, flush=True)
    outcome = Outcome(
        name=name,
        title=name,
        text="",
        commit=results.describe_commit(),
        date=results.describe_now(),
        busy_before=results.measure_busy(),
    )
    lines = options.work / f"{name}.figures"
    errors = options.work / f"{name}.log"
    lines.unlink(missing_ok=True)
    told = msgspec.json.encode(options, enc_hook=str).decode()
    command = [sys.executable, "-m", "bench.one", module, told, str(lines)]
    began = time.monotonic()
    with (
        errors.open("wb") as log,
        subprocess.Popen(
            command, cwd=results.ROOT, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        try:
            while True:
                over = _wait(process, min(5, limit_s))
                outcome.seconds = round(time.monotonic() - began, 1)
                if not over and outcome.seconds > limit_s:
                    outcome.error = f"not done within {limit_s:.0f} s"
                _take(lines, outcome)
                found.put(outcome, list(SCENARIOS))
                results.write(found, out)
                if over or outcome.error:
                    break
        finally:
            process.send_signal(
                signal.SIGINT
            )  # it ends the servers of peers, which are not in its group
            _wait(process, 60)
            with contextlib.suppress(ProcessLookupError):  # and what it left behind
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode and not outcome.error:
        text = errors.read_text(errors="replace").strip()
        outcome.error = text[-ERROR_CHARACTERS:] or f"ended with {process.returncode}"
        results.write(found, out)
    return outcome


def _wait(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Tell whether the process ended within so many seconds."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _take(lines: Path, outcome: Outcome) -> None:
    """Read what the scenario's process has written so far."""
    try:
        first, *figures = lines.read_bytes().splitlines()
    except (OSError, ValueError):
        return
    told = msgspec.json.decode(first, type=Told)
    outcome.title, outcome.text = told.title, told.text
    with contextlib.suppress(msgspec.DecodeError):  # the last line may be half written
        outcome.figures = []
        for line in figures:
            outcome.figures.append(msgspec.json.decode(line, type=Figure))


def _summarise(outcome: Outcome) -> str:
    """Return a text for the terminal."""
    lines = [f"{outcome.title}  ({outcome.name}, {outcome.seconds:.0f} s)"]
    lines += map(write_line, outcome.figures)
    if outcome.error:
        lines.append(f"  FAILED: {outcome.error}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
