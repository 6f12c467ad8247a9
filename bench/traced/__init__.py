"""Traced programs as processes: each in its own environment, in rounds that alternate.

`driver.py` in this folder times a program and says what a program is; it and what it imports need
no package. Here is what starts it: `run_rounds`, and the 200-sink that programs may export to.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench.environments import python_of
from bench.harness import Options, alternate
from bench.peers.serving import serving_peer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDER = Path(__file__).parent
PEERS = FOLDER.parent / "peers"
LIMIT_S = 600


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """Who is measured. `subject` names its environment and, in figures, itself.

    `server` is the peer whose own server it sends to; None: the server that the scenario chooses.
    Slow libraries get fewer traces and a lower rate, so that a round stays short.
    """

    subject: str
    script: Path
    environment: str = "whence"
    server: str | None = None
    traces: int = 2000
    paced_traces: int = 400
    rate: float = 200


class Run(msgspec.Struct):
    """What `driver.py` prints."""

    modes: dict[str, dict[str, float]]
    python: str
    version: str
    attributes: str
    lost: int | None = None


OURS = (
    Program(subject="no tracing", script=FOLDER / "by_nobody.py"),
    Program(subject="whence", script=FOLDER / "by_whence.py"),
)
SLOW: dict[str, dict[str, Any]] = {
    "mlflow": {"server": "mlflow", "traces": 200, "paced_traces": 60, "rate": 20},
    "phoenix": {"server": "phoenix", "traces": 500, "paced_traces": 100, "rate": 50},
    "langfuse": {"traces": 500, "paced_traces": 100, "rate": 50},
    "logfire": {"traces": 500, "paced_traces": 100, "rate": 50},
}


def programs(options: Options) -> list[Program]:
    """Return ours, and those of the peers that were asked for."""
    others = [
        Program(subject=peer, script=script, environment=peer, **SLOW.get(peer, {}))
        for peer in options.peers
        for script in (FOLDER / f"by_{peer}.py", PEERS / f"by_{peer}.py")
        if script.exists()
    ]
    return [*OURS, *others]


@contextlib.contextmanager
def sinking() -> Iterator[str]:
    """Run a server that answers 200 to everything, as a process of its own; yield its URL."""
    with subprocess.Popen(
        [sys.executable, str(FOLDER / "sink.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as sink:
        assert sink.stdin is not None
        assert sink.stdout is not None
        yield sink.stdout.readline().strip()
        sink.stdin.close()


def run_rounds(
    options: Options, measured: Sequence[Program], modes: str, url: str
) -> dict[str, list[Run]]:
    """Run every program once a round; return what each printed, by subject, without warm-up."""
    found: dict[str, list[Run]] = {program.subject: [] for program in measured}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.work)))
        urls = {}
        for program in measured:
            if program.server is not None and program.server not in urls:
                own = folder / program.server
                own.mkdir()
                served = serving_peer(program.server, own, options.work)
                urls[program.server] = stack.enter_context(served)
        for number, program in alternate(measured, options.rounds):
            run = _run(options, program, modes, urls.get(program.server or "", url), folder)
            if number:
                found[program.subject].append(run)
    return found


def _run(options: Options, program: Program, modes: str, url: str, folder: Path) -> Run:
    share = 0.1 if options.quick else 1
    arguments = {
        "--url": url,
        "--modes": modes,
        "--traces": int(program.traces * share),
        "--paced-traces": int(program.paced_traces * share),
        "--rate": program.rate,
    }
    python = python_of(program.environment, options.work)
    command = [python, FOLDER / "driver.py", program.script]
    command += [str(word) for pair in arguments.items() for word in pair]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WHENCE_")}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**kept, "XDG_STATE_HOME": str(folder)},  # an outbox, should a server be away
        stdout=subprocess.PIPE,
        check=True,
        timeout=LIMIT_S,
    )
    # A library may print before the driver does.
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Run)
