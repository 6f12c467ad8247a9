"""Sending requests of OTLP files: in batches of about `BATCH_BYTES`, each durable before the next.

A busy server is asked again. A batch that it refuses, or finds too large, is sent in halves: down
to the request, its groups, and the one span that it is about, which is named in the report.

Assessments are sent as what another store had: what was set or deleted here since outranks them.
A trace that was deleted here is named, and not taken in again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from whence.errors import InvalidInputError, PayloadTooLargeError
from whence.moves.asking import ask_again
from whence.moves.otlp_files import Unit, list_trace_ids, split_group
from whence.moves.sender import Sender
from whence.moves.trace import MovedTrace, Unreadable
from whence.sdk.delivery.destination import Server, parse_destination
from whence.sdk.reading.http import HttpReader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from whence.moves.report import Report
    from whence.sdk.reading.client import Client

BATCH_BYTES = 4_000_000
ASKED_TRACES = 100  # of one question whether they are here
INFOS = "/api/3.0/mlflow/traces/batchGetInfos"
DELETED = "it was deleted here, and stays so"
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
        self._deleted: set[str] = set()  # that were named
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
        self._restore_assessments(batch)

    def _send_groups(self, groups: list[Placed], *, apart: bool = False) -> None:
        if not groups:
            return
        body = {"traces": [], "spans": {"resourceSpans": [group for _, group in groups]}}
        ask = partial(self._client.call, "POST", "/traces/import", body=body)
        try:
            answer = ask_again(ask)
        except (InvalidInputError, PayloadTooLargeError) as error:
            self._send_less(groups, error.message, apart=apart)
            return
        self.groups += len(groups)
        if answer["message"]:
            self._report.lose(_say_where(groups), answer["message"])
        sent = [trace_id for _, group in groups for trace_id in list_trace_ids(group)]
        if answer["spans"] < len(sent):
            for one in self._list_missing(sent):
                self._lose_deleted(one)

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

    def _restore_assessments(self, batch: list[Unit]) -> None:
        judged = [
            MovedTrace(
                trace_id=unit.extra.trace_id,
                assessments=unit.extra.assessments,
                size_bytes=unit.size_bytes,
            )
            for unit in batch
            if unit.extra.assessments and unit.extra.trace_id not in self._deleted
        ]
        missing = self._list_missing([one.trace_id for one in judged])
        for trace_id in missing:  # its spans were refused: it would be a head alone
            self._report.lose(trace_id, "its assessments: there is no such trace here")
        here = [one for one in judged if one.trace_id not in missing]
        Sender(self._client, self._report).send_all(here)

    def _lose_deleted(self, trace_id: str) -> None:
        if trace_id not in self._deleted:
            self._deleted.add(trace_id)
            self._report.lose(trace_id, DELETED)

    def _list_missing(self, trace_ids: Iterable[str]) -> list[str]:
        """Return those that are not on the server."""
        ids = list(dict.fromkeys(trace_ids))
        found: set[str] = set()
        for start in range(0, len(ids), ASKED_TRACES):
            body = {"trace_ids": ids[start : start + ASKED_TRACES]}
            answer = ask_again(partial(self._reader.request, "POST", INFOS, body=body))
            found.update(one["trace_id"] for one in answer["trace_infos"])
        return [one for one in ids if one not in found]


def _say_where(groups: list[Placed]) -> str:
    first, last = groups[0][0], groups[-1][0]
    return first if first == last else f"{first} to {last}"
