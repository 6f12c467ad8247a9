"""Sending requests of OTLP files: in batches of about `BATCH_BYTES`, each durable before the next.

A busy server is asked again. A batch that it refuses, or finds too large, is sent in halves: down
to the request, its groups, and the one span that it is about, which is named in the report.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from whence.errors import InvalidInputError, NotFoundError, PayloadTooLargeError
from whence.moves.asking import ask_again
from whence.moves.otlp_files import Unit, split_group
from whence.moves.trace import Unreadable
from whence.sdk.delivery.destination import Server, parse_destination
from whence.sdk.reading.http import HttpReader, path_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from whence.moves.report import Report
    from whence.sdk.reading.client import Client

BATCH_BYTES = 4_000_000
Placed = tuple[str, msgspec.Raw]  # a group and where it is from


class OtlpSender:
    """Sends requests and what rides beside them to one server."""

    def __init__(self, client: Client, report: Report) -> None:
        """Find the server of the client's destination."""
        server = parse_destination(client.server_url)
        if not isinstance(server, Server):
            raise InvalidInputError(f"{server} is no server")
        self._client = client
        self._reader = HttpReader(server)
        self._report = report
        self.requests = 0
        self.groups = 0  # that were taken

    def send_all(self, units: Iterable[Unit | Unreadable]) -> None:
        """Send everything; what can't be sent is in the report."""
        batch: list[Unit] = []
        size_bytes = 0
        for unit in units:
            if isinstance(unit, Unreadable):
                self._report.lose(unit.where, unit.reason)
                continue
            batch.append(unit)
            size_bytes += unit.size_bytes
            if size_bytes >= BATCH_BYTES:
                self._send(batch)
                batch, size_bytes = [], 0
        if batch:
            self._send(batch)

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()

    def _send(self, batch: list[Unit]) -> None:
        self._send_groups([(unit.place, group) for unit in batch for group in unit.groups])
        self.requests += len(batch)
        for unit in batch:
            self._restore_assessments(unit)

    def _send_groups(self, groups: list[Placed], *, apart: bool = False) -> None:
        if not groups:
            return
        body = {"resourceSpans": [group for _, group in groups]}
        ask = partial(self._reader.request, "POST", "/v1/traces", body=body)
        try:
            answer = ask_again(ask) or {}
        except (InvalidInputError, PayloadTooLargeError) as error:
            self._send_less(groups, error.message, apart=apart)
            return
        self.groups += len(groups)
        message = answer.get("partialSuccess", {}).get("errorMessage", "")
        if message:
            self._report.lose(_say_where(groups), message)

    def _send_less(self, groups: list[Placed], problem: str, *, apart: bool) -> None:
        if len(groups) > 1:
            half = len(groups) // 2
            self._send_groups(groups[:half], apart=apart)
            self._send_groups(groups[half:], apart=apart)
            return
        place, group = groups[0]
        parts = [] if apart else split_group(group)
        if len(parts) > 1:
            self._send_groups([(place, part) for part in parts], apart=True)
        else:
            self._report.lose(place, problem)

    def _restore_assessments(self, unit: Unit) -> None:
        # What an assessment overrides must be there before it.
        judged = sorted(unit.extra.assessments, key=_time_of)
        path = "/traces" + path_of(unit.extra.trace_id, "assessments")
        for one in judged:
            try:
                ask_again(partial(self._client.call, "POST", path, body=one))
            except (InvalidInputError, NotFoundError) as error:
                self._report.lose(unit.place, f"an assessment: {error.message}")
                continue
            self._report.count(assessments=1)


def _time_of(assessment: dict[str, Any]) -> str:
    return str(assessment.get("create_time") or "")


def _say_where(groups: list[Placed]) -> str:
    first, last = groups[0][0], groups[-1][0]
    return first if first == last else f"{first} to {last}"
