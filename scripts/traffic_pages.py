"""Write what commands print about planted traffic into docs/environments.md and others of its kind.

The traffic is the same every time: eight versions of a shop in production, one after the other, and
a few traces of staging and development. 1.4.0 made answers a quarter slower; 1.7.0 became slower by
itself after two weeks. A `text` block behind a command of these pages becomes its output.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PAGES = tuple(ROOT / "docs" / f"{name}.md" for name in ("environments", "timeline", "bisect"))
COMMANDS = "environments|timeline|bisect"
SHOWN = re.compile(
    rf"(```console\n\$ (?P<command>whence (?:{COMMANDS})[^\n]*)\n```\n\n```text\n)"
    r"(?P<output>.*?)(```)",
    re.DOTALL,
)
DAY_NS, MS = 86_400_000_000_000, 1_000_000
START_NS = 1_788_134_400_000_000_000  # 2026-08-31, a Monday
VERSIONS = tuple(f"1.{number}.0" for number in range(8))
DAYS_OF_VERSION, DAYS_OF_LAST, DAYS_BEFORE_DRIFT = 5, 24, 14
A_DAY = 60
SLOWER, DRIFTED = 1.25, 1.2
LAPTOP = {"host.name": "anns-macbook-pro.local", "whence.metadata.whence.git.dirty": "true"}


def make_traffic() -> Iterator[dict[str, Any]]:
    """Yield OTLP/JSON requests, one for each process and day."""
    draw = Random(7)  # noqa: S311 - traffic, no secret
    day = 0
    for number, version in enumerate(VERSIONS):
        last = version == VERSIONS[-1]
        for day_of_version in range(DAYS_OF_LAST if last else DAYS_OF_VERSION):
            typical = 200.0 * (SLOWER if number >= 4 else 1.0)
            if last and day_of_version >= DAYS_BEFORE_DRIFT:
                typical *= DRIFTED
            where = {"environment": "production", "host.name": f"web-{day % 3}"}
            yield make_request(draw, version, day, A_DAY, typical, where)
            day += 1
    newest = VERSIONS[-1]
    yield make_request(draw, newest, day, 120, 240.0, {"environment": "staging"})
    yield make_request(draw, newest, day, 9, 300.0, {"environment": "Prod", "host.name": "web-1"})
    yield make_request(draw, newest, day, 40, 210.0, {"environment": "dev", **LAPTOP})
    yield make_request(draw, newest, day, 6, 210.0, {"environment": "production", **LAPTOP})


def make_request(
    draw: Random, version: str, day: int, traces: int, typical_ms: float, where: dict[str, str]
) -> dict[str, Any]:
    """Return a day's traces of a process: log-normal durations, two traces a session."""
    resource = {
        "service.name": "shop",
        "service.version": version,
        "vcs.ref.head.revision": f"{VERSIONS.index(version) + 1:x}" * 40,
        "deployment.environment.name": where["environment"],
        **{key: value for key, value in where.items() if key != "environment"},
    }
    spans = []
    for number in range(traces):
        start = START_NS + day * DAY_NS + int((number + draw.random()) / traces * DAY_NS)
        took = typical_ms * draw.lognormvariate(0, 0.25)
        tokens = draw.randrange(900, 1100)
        session = f"{where['environment']}-{day}-{number // 2}"
        attributes = {
            "session.id": {"stringValue": session},
            "gen_ai.usage.input_tokens": {"intValue": str(tokens)},
            "gen_ai.usage.output_tokens": {"intValue": str(tokens // 4)},
        }
        spans.append(
            {
                "traceId": f"{draw.getrandbits(128) | 1:032x}",
                "spanId": f"{draw.getrandbits(64) | 1:016x}",
                "name": "answer",
                "kind": 1,
                "startTimeUnixNano": str(start),
                "endTimeUnixNano": str(start + int(took * MS)),
                "status": {"code": 2 if draw.random() < 0.02 else 1},
                "attributes": [{"key": key, "value": one} for key, one in attributes.items()],
            }
        )
    named = [{"key": key, "value": {"stringValue": value}} for key, value in resource.items()]
    one = {"resource": {"attributes": named}, "scopeSpans": [{"spans": spans}]}
    return {"resourceSpans": [one]}


def record_traffic(store: Path | str) -> None:
    """Import the traffic into a store, or a server."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "traffic.jsonl"
        file.write_text("".join(json.dumps(one) + "\n" for one in make_traffic()), "utf-8")
        run("whence", "import", "otlp", str(file), "--url", str(store))


def run(*words: str) -> str:
    """Return what a command prints; 1 and 2 are verdicts."""
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - ours
    if done.returncode > 2:
        raise RuntimeError(done.stderr)
    return done.stdout


def run_command(command: str, url: str) -> str:
    """Return what a command of a page prints about a store or server."""
    return run(*shlex.split(command), "--url", url)


def main() -> None:
    """Renew the pages."""
    # The store's server ends by itself when it is idle, and may still write.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        store = Path(folder) / "store"
        record_traffic(store)
        for page in PAGES:
            text = page.read_text(encoding="utf-8")

            def renew(found: re.Match[str]) -> str:
                return found[1] + run_command(found["command"], str(store)) + found[4]

            page.write_text(SHOWN.sub(renew, text), encoding="utf-8")


if __name__ == "__main__":
    main()
