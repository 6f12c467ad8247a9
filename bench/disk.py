"""How much disk a trace takes: real programs, real servers, and the bytes of their stores.

    python -m bench.disk [--quick]

The five-span traces of `bench/traced/answers.py`, once with short texts and once with what a
retrieval app sends to a model, recorded by four versions of a program, one after the other. The
store is weighed twice: as the last trace was acknowledged, and after the engine has merged and
removed what it replaced. Every file in the directory counts, the engine's own with them.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench.alone import run_alone
from bench.environments import OURSELVES, EnvironmentFailedError, python_of
from bench.harness import Figure, Options, Scenario
from bench.ingest import serving
from bench.peers.serving import SERVERS, serving_peer, wait_until_stored

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parent
PROGRAM = FOLDER / "traced" / "answers.py"
PROCESSES = 4
SPANS = 5  # of a trace
MLFLOW_BYTES = 11_000
LISTED_BYTES = 5  # a trace: what takes less is not listed
LIMIT_S = 1800
MERGE_WAIT_S = 120
FAILURES = (EnvironmentFailedError, RuntimeError, subprocess.SubprocessError)


class Amount(msgspec.Struct, frozen=True):
    """How many traces of a payload a library records, by each of the processes."""

    short: int
    chat: int
    quick: int = 20


class Peer(msgspec.Struct, frozen=True):
    """The program that traces with a library, and how much."""

    script: Path
    amount: Amount


PEERS = {
    OURSELVES: Peer(FOLDER / "traced" / "by_whence.py", Amount(short=5000, chat=750)),
    "mlflow": Peer(FOLDER / "peers" / "by_mlflow.py", Amount(short=250, chat=75)),
    "phoenix": Peer(FOLDER / "peers" / "by_phoenix.py", Amount(short=500, chat=75)),
}
PAYLOADS = ("short", "chat")
PAYLOAD_NOTES = {
    "short": "a question of 12 words, an answer of 30",
    "chat": "a retrieval app's messages: prompt, history, five passages",
}


def measure(options: Options) -> Iterator[Figure]:
    """Weigh the stores of everybody asked for."""
    for subject in (OURSELVES, *(one for one in options.peers if one in PEERS)):
        for payload in PAYLOADS:
            try:
                yield from _weigh(subject, payload, options)
            except FAILURES as error:  # noqa: PERF203 - the others are still weighed
                yield Figure(
                    name=f"disk, {payload}",
                    subject=subject,
                    unit="B a trace",
                    values=[],
                    note=f"failed: {str(error)[:300]}",
                )


def _weigh(subject: str, payload: str, options: Options) -> Iterator[Figure]:
    amount = PEERS[subject].amount
    each = amount.quick if options.quick else getattr(amount, payload)
    traces = each * PROCESSES
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        folder = Path(name)
        with _serve(subject, folder, options.work) as url:
            empty = weigh(folder)
            payload_bytes = sum(
                record(subject, payload, url, version, each, options.work)
                for version in range(PROCESSES)
            )
            if subject != OURSELVES:
                wait_until_stored(subject, folder, traces * SPANS)
            at_once = weigh(folder)
        note = f"{PAYLOAD_NOTES[payload]}: {payload_bytes / traces:.0f} B of JSON"
        yield Figure(
            name=f"disk at once, {payload}",
            subject=subject,
            unit="B a trace",
            values=[(at_once - empty) / traces],
            note=note,
        )
        if subject == OURSELVES:
            ask(MERGE, folder, 0 if options.quick else MERGE_WAIT_S)
        merged = weigh(folder)
        yield Figure(
            name=f"disk, {payload}",
            subject=subject,
            unit="B a trace",
            values=[(merged - empty) / traces],
            at_most=MLFLOW_BYTES / 10 if (subject, payload) == (OURSELVES, "short") else None,
            note=note,
        )
        columns: dict[str, int] = ask(COLUMNS, folder) if subject == OURSELVES else {}
        for column, size in columns.items():
            if size / traces >= LISTED_BYTES:
                yield Figure(
                    name=f"{column}, {payload}",
                    subject=subject,
                    unit="B a trace",
                    values=[size / traces],
                )


@contextlib.contextmanager
def _serve(subject: str, folder: Path, work: Path) -> Iterator[str]:
    if subject == OURSELVES:
        with serving(folder) as server:
            yield server.url
    else:
        with serving_peer(subject, folder, work) as url:
            yield url


def record(subject: str, payload: str, url: str, version: int, traces: int, work: Path) -> int:
    """Run the traced program once; return the bytes of its payloads."""
    variables = {
        "WHENCE_APP_VERSION": f"1.{version}.0",
        "WHENCE_ENVIRONMENT": "staging" if version % 2 else "production",
        "OTEL_RESOURCE_ATTRIBUTES": f"service.name=answers,service.version=1.{version}.0",
    }
    command = [python_of(subject, work), str(PROGRAM), str(PEERS[subject].script), "--url", url]
    amount = ["--payload", payload, "--traces", str(traces), "--seed", str(version + 1)]
    done = subprocess.run(
        [*command, *amount],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        timeout=LIMIT_S,
        check=True,
    )
    return int(json.loads(done.stdout.splitlines()[-1])["payload_bytes"])


def weigh(folder: Path) -> int:
    """Return what the files below a folder take from the disk."""
    total = 0
    for file in folder.rglob("*"):
        try:
            found = file.lstat()
        except FileNotFoundError:  # a part that was merged away just now
            continue
        total += 0 if file.is_dir() else found.st_blocks * 512
    return total


LIST = """
import json, sys, time
from whence.store.connection import open_store

store = open_store(sys.argv[1])
tables = [name for (name,) in store.query(
    "SELECT name FROM system.tables WHERE database = currentDatabase()"
    " AND engine LIKE '%MergeTree'"
).rows]
"""
# Does what the engine does in time, and waits until it has removed what the merged parts replace.
MERGE = """
for table in tables:
    store.command(f"OPTIMIZE TABLE {table} FINAL")
ends = time.monotonic() + int(sys.argv[2])
while time.monotonic() < ends:
    if not store.query("SELECT count() FROM system.parts WHERE NOT active").rows[0][0]:
        break
    time.sleep(1)
print(json.dumps(len(tables)), flush=True)
"""
# A small part is one file, of which no column's share is known: write it in a file a column.
COLUMNS = """
found = {}
for table in tables:
    store.command(f"ALTER TABLE {table} MODIFY SETTING min_bytes_for_wide_part = 0")
    store.command(f"OPTIMIZE TABLE {table} FINAL")
    for column, size in store.query(
        "SELECT column, sum(column_bytes_on_disk) FROM system.parts_columns WHERE active"
        " AND database = currentDatabase() AND table = {table:String} GROUP BY column",
        {"table": table},
    ).rows:
        found[f"{table}.{column}"] = size
    for index, size in store.query(
        "SELECT name, data_compressed_bytes + marks_bytes FROM system.data_skipping_indices"
        " WHERE database = currentDatabase() AND table = {table:String}",
        {"table": table},
    ).rows:
        found[f"{table}, index {index}"] = size
print(json.dumps(dict(sorted(found.items(), key=lambda item: -item[1]))), flush=True)
"""


def ask(program: str, folder: Path, *options: int) -> Any:
    """Run a program over the store that no server has open; return what it prints as JSON."""
    command = [sys.executable, "-c", LIST + program, str(folder), *map(str, options)]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=LIMIT_S, check=True)
    return json.loads(done.stdout.splitlines()[-1])


SCENARIO = Scenario(
    name="disk",
    title="Disk of a trace",
    text=(
        "Four processes, each another version of the program, record five-span traces through "
        "each library's production set-up to its own server. The texts are distinct. All files "
        "of the server's directory count (blocks on the disk), less an empty server's: at once "
        "after the last trace, and after the engine has merged its parts. What a column of a "
        "table takes is listed from five bytes a trace on."
    ),
    run=measure,
    subjects=(OURSELVES, *SERVERS),
)

if __name__ == "__main__":
    run_alone(SCENARIO)
