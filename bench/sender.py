"""Sends prebuilt OTLP requests as fast as they are answered, or at a given rate; prints JSON.

    python -m bench.sender http://127.0.0.1:4320 [--encoding protobuf] [--dialect opentelemetry]
        [--spans 200] [--connections 12] [--seconds 8] [--warm-up 2] [--rate SPANS_A_SECOND]
        [--probe] [--header NAME=VALUE] [--path /v1/traces] [--log FILE]

Each connection is kept alive, and a thread that only writes prebuilt bytes and reads the answer, so
the sender takes little of the machine. A 429 or 503 is obeyed: the same request comes again after
`Retry-After`. What counts is what was acknowledged within the measured seconds. `--probe` sends a
request of one trace every 100 ms beside it, on a connection of its own. `--log` writes the number
of every request acknowledged, one a line, so that somebody can look for them (`bench.overload`).
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import socket
import statistics
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from bench.payloads import CONTENT_TYPES, JSON, SDK, Template, make_templates

PROBE_EVERY_S = 0.1
TRY_LATER = (429, 503)
TIMEOUT_S = 120.0


class Sent(msgspec.Struct, frozen=True):
    """What was seen in the measured time. Latencies are of acknowledged requests, in ms."""

    spans: int
    seconds: float
    spans_a_second: float
    requests: int
    refused: int
    failed: int
    p50_ms: float
    p99_ms: float
    probe_p50_ms: float
    probe_p99_ms: float
    probe_max_ms: float
    sender_cpu_s: float


class Connection:
    """One kept connection that sends a request and reads its answer."""

    def __init__(self, url: str, path: str, content_type: str, headers: list[str]) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        lines = [f"POST {path} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Type: {content_type}"]
        self._head = "\r\n".join([*lines, *headers, "Content-Length: "]).encode()
        self._socket: socket.socket | None = None

    def post(self, body: bytes) -> tuple[int, float]:
        """Return the status, and after how many seconds to come again where it says so."""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, TIMEOUT_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._socket.sendall(self._head + str(len(body)).encode() + b"\r\n\r\n" + body)
            return self._read(self._socket)
        except OSError:
            self._socket.close()
            self._socket = None
            raise

    def _read(self, connected: socket.socket) -> tuple[int, float]:
        answer = b""
        while b"\r\n\r\n" not in answer:
            part = connected.recv(65_536)
            if not part:
                raise ConnectionError("the server closed the connection")
            answer += part
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in map(_split, lines[1:])}
        missing = int(fields.get("content-length", 0)) - len(body)
        while missing > 0:
            missing -= len(connected.recv(missing))
        return int(lines[0].split()[1]), float(fields.get("retry-after", 1))


def _split(line: str) -> tuple[str, str, str]:
    return line.partition(":")


class Load:
    """The connections' common clock and counts."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.numbers = itertools.count(random.getrandbits(31))
        self.starts = time.perf_counter() + options.warm_up
        self.ends = self.starts + options.seconds
        self.latencies: list[float] = []
        self.probes: list[float] = []
        self.spans = self.refused = self.failed = 0
        self.log: list[tuple[int, int]] = []  # template, number
        self._options = options
        self._lock = threading.Lock()

    def connect(self) -> Connection:
        options = self._options
        headers = [header.replace("=", ": ", 1) for header in options.header]
        return Connection(options.url, options.path, CONTENT_TYPES[options.encoding], headers)

    def run(self, templates: list[Template], first: int) -> None:
        """Send until the end, as the rate allows."""
        options, connection = self._options, self.connect()
        every_s = 0.0
        if options.rate:
            every_s = options.connections * templates[0].spans / options.rate
        due = time.perf_counter() + every_s * first / options.connections
        for index in itertools.count(first):
            time.sleep(max(0.0, due - time.perf_counter()))
            due = max(due + every_s, time.perf_counter() - 1) if every_s else 0.0
            which = index % len(templates)
            if not self._send(connection, templates[which], which):
                return

    def _send(self, connection: Connection, template: Template, which: int) -> bool:
        number = next(self.numbers) % 2**32
        body = template.body(number)
        while time.perf_counter() < self.ends:
            sent = time.perf_counter()
            try:
                status, retry_s = connection.post(body)
            except OSError:
                status, retry_s = 0, 0.5
            now = time.perf_counter()
            with self._lock:
                if status == 200:
                    self.log.append((which, number))
                    if self.starts <= now < self.ends:
                        self.spans += template.spans
                        self.latencies.append((now - sent) * 1000)
                    return True
                self.refused += status in TRY_LATER
                self.failed += status not in TRY_LATER
            time.sleep(min(retry_s, max(0.0, self.ends - now)))
        return False

    def probe(self, template: Template) -> None:
        """Send a small request now and then."""
        connection = self.connect()
        while time.perf_counter() < self.ends:
            time.sleep(PROBE_EVERY_S * (0.5 + random.random()))
            body = template.body(next(self.numbers) % 2**32)
            sent = time.perf_counter()
            status, _ = connection.post(body)
            now = time.perf_counter()
            if status == 200 and self.starts <= sent and now < self.ends:
                self.probes.append((now - sent) * 1000)


def send(options: argparse.Namespace) -> Sent:
    """Send for the given time; return what was seen."""
    templates = make_templates(options.dialect, options.encoding, spans=options.spans)
    small = make_templates(options.dialect, options.encoding, spans=5, count=1, seed=99)[0]
    load = Load(options)
    threads = [
        threading.Thread(target=load.run, args=(templates, index))
        for index in range(options.connections)
    ]
    if options.probe:
        threads.append(threading.Thread(target=load.probe, args=(small,)))
    cpu_s = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if options.log:
        lines = (f"{which} {number:08x}\n" for which, number in load.log)
        Path(options.log).write_text("".join(lines))
    return Sent(
        spans=load.spans,
        seconds=options.seconds,
        spans_a_second=round(load.spans / options.seconds, 1),
        requests=len(load.latencies),
        refused=load.refused,
        failed=load.failed,
        p50_ms=_percentile(load.latencies, 50),
        p99_ms=_percentile(load.latencies, 99),
        probe_p50_ms=_percentile(load.probes, 50),
        probe_p99_ms=_percentile(load.probes, 99),
        probe_max_ms=max(load.probes, default=0.0),
        sender_cpu_s=round(time.process_time() - cpu_s, 3),
    )


def _percentile(values: list[float], percent: int) -> float:
    if len(values) < 2:
        return values[0] if values else 0.0
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1], 3)


def read_options(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--encoding", choices=tuple(CONTENT_TYPES), default=JSON)
    parser.add_argument("--dialect", default=SDK)
    parser.add_argument("--spans", type=int, default=200)
    parser.add_argument("--connections", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--warm-up", type=float, default=2.0)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--probe", action="store_true")
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--path", default="/v1/traces")
    parser.add_argument("--log")
    return parser.parse_args(arguments)


def main() -> None:
    sys.stdout.write(msgspec.json.encode(send(read_options(sys.argv[1:]))).decode() + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
