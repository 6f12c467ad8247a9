"""Users who search while something else happens; prints one line of JSON.

    python -m bench.searcher URL --traces 1000000 [--users 4] [--rate 4] [--seconds 8] [--seed 1]

Every user has a kept connection, and asks one search after the other, of all kinds of
`bench.search` in turn; `--rate` is how many searches all of them start a second, 0 means without a
pause. The same seed asks the same.
"""

from __future__ import annotations

import argparse
import http.client
import random
import statistics
import sys
import threading
import time
from urllib.parse import urlsplit

import msgspec

from bench import corpus
from bench.search import SEARCHES, Values

HTTP_OK = 200


class Asked(msgspec.Struct, frozen=True):
    """What the users saw, in milliseconds."""

    searches: int
    a_second: float
    mean_ms: float
    p50_ms: float
    p95_ms: float


class Users:
    """What the users share: when it ends, and what they saw."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.times_ms: list[float] = []
        self._options = options
        self._values = Values(options.traces, corpus.version_names(options.traces))
        self._lock = threading.Lock()
        self._starts = time.perf_counter() + options.warm_up
        self._ends = self._starts + options.seconds

    def run(self, user: int) -> None:
        """Search until the end."""
        options = self._options
        draw = random.Random(f"{options.seed} {user}")
        connection = http.client.HTTPConnection(urlsplit(options.url).netloc, timeout=60)
        every_s = options.users / options.rate if options.rate else 0.0
        due = time.perf_counter() + every_s * user / options.users
        number = user * len(SEARCHES) // options.users
        while time.perf_counter() < self._ends:
            time.sleep(max(0.0, due - time.perf_counter()))
            started = time.perf_counter()
            connection.request("GET", SEARCHES[number % len(SEARCHES)].path(draw, self._values))
            answer = connection.getresponse()
            answer.read()
            ended = time.perf_counter()
            if answer.status != HTTP_OK:
                raise SystemExit(f"a search was answered with {answer.status}")
            if self._starts < started < self._ends:
                with self._lock:
                    self.times_ms.append((ended - started) * 1000)
            due = max(due + every_s, ended) if every_s else 0.0
            number += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--traces", type=int, required=True)
    parser.add_argument("--users", type=int, default=4)
    parser.add_argument("--rate", type=float, default=4)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--warm-up", type=float, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    users = Users(options)
    threads = [threading.Thread(target=users.run, args=(user,)) for user in range(options.users)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = sorted(users.times_ms) or [0.0]
    asked = Asked(
        searches=len(times),
        a_second=len(times) / options.seconds,
        mean_ms=statistics.fmean(times),
        p50_ms=statistics.median(times),
        p95_ms=times[int(len(times) * 0.95)] if len(times) > 1 else times[0],
    )
    sys.stdout.write(msgspec.json.encode(asked).decode() + "\n")


if __name__ == "__main__":
    main()
