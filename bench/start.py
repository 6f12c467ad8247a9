"""How long things take to start: the import, the command line, the server on stores of any size.

    python -m bench.start [--quick]
    python -m bench --only start --sizes 1000000,10000000

Every start is a process of its own, the kinds interleaved. Modules come from their bytecode, as in
an installed package; it is kept below `--work`, and the first round, which writes it, is dropped.
"""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from bench import corpus
from bench.alone import run_alone
from bench.harness import Figure, Options, Scenario, alternate
from bench.ingest import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

IMPORT = "import time; at = time.perf_counter(); import whence; print(time.perf_counter() - at)"
HEALTHY_AT_MOST_S = 3.0
REST_S = 3.0
OK = 200


class Start(msgspec.Struct, frozen=True):
    """Something that starts: `measure` returns numbers by the names of figures."""

    name: str
    measure: Callable[[], dict[str, float]]
    at_most: float | None = None
    unit: str = "ms"
    size: int | None = None


def measure(options: Options) -> Iterator[Figure]:
    """Start everything once a round."""
    environment = {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(options.work / "bytecode"),
    }
    with tempfile.TemporaryDirectory(dir=options.work, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        starts = [*_commands(environment), *_servers(options, folder, environment)]
        found: list[dict[str, list[float]]] = [{} for _ in starts]
        pairs = list(zip(starts, found, strict=True))
        for number, (start, known) in alternate(pairs, options.rounds, warm_up=not options.quick):
            for figure, value in start.measure().items():
                if number:
                    known.setdefault(figure, []).append(value)
    for start, figures in zip(starts, found, strict=True):
        for figure, values in figures.items():
            of_start = figure == ""
            yield Figure(
                name=start.name if of_start else f"{start.name}: {figure}",
                subject="whence",
                unit=start.unit if of_start else "MB",
                values=values,
                at_most=start.at_most if of_start else None,
                size=start.size,
            )


def _commands(environment: dict[str, str]) -> list[Start]:
    program = str(Path(sys.executable).with_name("whence"))
    return [
        Start("import whence", partial(_import, environment), at_most=120),
        Start("whence --help", partial(_run, [program, "--help"], environment), at_most=300),
        Start("whence --version", partial(_run, [program, "--version"], environment)),
        Start("whence context", partial(_run, [program, "context"], environment)),
        Start("whence search --help", partial(_run, [program, "search", "--help"], environment)),
    ]


def _servers(options: Options, folder: Path, environment: dict[str, str]) -> list[Start]:
    fresh, empty = folder / "fresh", folder / "empty"
    with serving(empty):
        pass
    bound = None if options.quick else HEALTHY_AT_MOST_S
    how = (environment, 0.0 if options.quick else REST_S)
    stores = {size: corpus.prepared(options.work, size) for size in options.sizes}
    return [
        Start("server, new store", partial(_serve_new, fresh, *how), bound, "s"),
        *(
            Start("server healthy", partial(_serve, store, *how), bound, "s", size=size)
            for size, store in {0: empty, **stores}.items()
        ),
    ]


def _import(environment: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, "-c", IMPORT]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return {"": float(done.stdout) * 1000}


def _run(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    started = time.perf_counter()
    nowhere = subprocess.DEVNULL
    subprocess.run(command, env=environment, stdout=nowhere, stderr=nowhere, check=True)
    return {"": (time.perf_counter() - started) * 1000}


def _serve_new(store: Path, environment: dict[str, str], rest_s: float) -> dict[str, float]:
    shutil.rmtree(store, ignore_errors=True)
    return _serve(store, environment, rest_s)


def _serve(store: Path, environment: dict[str, str], rest_s: float) -> dict[str, float]:
    """Return the seconds until the server is healthy, and its memory some seconds later."""
    started = time.perf_counter()
    with serving(store, **environment) as server:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
        while not _is_healthy(connection):
            time.sleep(0.005)
        healthy_s = time.perf_counter() - started
        connection.close()
        time.sleep(rest_s)
        return {"": healthy_s, "memory at rest": _read_memory_mb(server.pid)}


def _is_healthy(connection: http.client.HTTPConnection) -> bool:
    connection.request("GET", "/health")
    answer = connection.getresponse()
    answer.read()
    return answer.status == OK


def _read_memory_mb(pid: int) -> float:
    """Return the resident memory without the pages of files, which the kernel can drop."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1000
    return 0.0


SCENARIO = Scenario(
    name="start",
    title="Start",
    text=(
        "Processes started one after the other, in turn: an interpreter that imports the package, "
        "the command line, and the server, from its start until `GET /health` answers 200, on a "
        "new store, on an empty one and on stores of many traces. Memory at rest is what the "
        "server's process holds three seconds later, without mapped files."
    ),
    run=measure,
)

if __name__ == "__main__":
    run_alone(SCENARIO)
