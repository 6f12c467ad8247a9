"""Traces of MLflow, from its running server, oldest first.

Heads come from the search, in pages by time; spans of traces that lie in the server's database by
`batchGet`, of the others (older ones, or of a lost race) as the `traces.json` that the server reads
from its artifacts, wherever they lie. Spans that one request in many fails over are asked for
alone. Reading goes on at any time of request, also while traces arrive.

Memory: `READERS` batches of about `ANSWER_BYTES`. How large traces are is learned from the answers:
the first batches are small, and where traces grow suddenly, one batch of each reader is too large.

Needs a server of MLflow 3.0 or later.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from whence.entities.timestamp import parse_timestamp
from whence.errors import (
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
    WhenceError,
)
from whence.moves.mlflow.database import (
    ATTACHMENT,
    ATTACHMENTS_STAY,
    IN_STORE,
    SPANS_LOCATION,
    Experiment,
)
from whence.moves.mlflow.judgements import STATES
from whence.moves.mlflow.server import (
    ENDING,
    V2,
    V3,
    MlflowServer,
    NoAnswerError,
    RedirectError,
)
from whence.moves.mlflow.spans import read_each, read_file, read_wire
from whence.moves.trace import OVERHEAD_BYTES, Found, MovedTrace, Unreadable, digits_of
from whence.otlp.records import SpanRecord
from whence.semconv import SERVER_TAGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from whence.moves.selection import Selection

PAGE, LEAST_PAGE = 200, 10
BATCH, FIRST_BATCH = 20, 5  # traces of one `batchGet`
ANSWER_BYTES = 4_000_000  # of one, as JSON
LONE_ATTEMPTS = 2  # for one trace whose answer does not come in time
READERS = 4  # and as many batches are in memory
EXPERIMENT_PAGE = 1000
NS_PER_S = 1_000_000_000
_UNREADABLE = (AttributeError, KeyError, TypeError, ValueError, WhenceError)
_Read = tuple[list[SpanRecord], list[str]]


class ServerReader:
    """Reads the traces of one MLflow server."""

    def __init__(self, server: MlflowServer, selection: Selection) -> None:
        """Ask for the experiments. Raises WhenceError where no MLflow 3 answers."""
        self._server = server
        self._selection = selection
        self._since_ms = selection.since_ms
        self._page = PAGE
        self._in_time = BATCH  # the most traces that were answered for in time
        self._light = FIRST_BATCH  # the most that weigh no more than `ANSWER_BYTES`
        self.left_out: list[str] = []
        try:
            self.experiments = sorted(self._read_experiments(), key=lambda one: int(one.id))
        except NotFoundError:
            raise InvalidInputError(f"no MLflow server answers at {server.address}") from None

    def count(self) -> int | None:
        """Return None: the server doesn't tell how many there are."""
        return None

    def read(self, places: Mapping[str, Any]) -> Iterator[Found]:
        """Yield traces, each experiment's from its place on."""
        pool = ThreadPoolExecutor(READERS, thread_name_prefix="whence-mlflow")
        try:
            for experiment in self.experiments:
                for page in self._pages(experiment, places.get(experiment.id)):
                    yield from self._read_page(pool, experiment, page)
        finally:
            self._server.stop()
            pool.shutdown(wait=True, cancel_futures=True)

    def _read_page(
        self, pool: ThreadPoolExecutor, experiment: Experiment, page: list[dict[str, Any]]
    ) -> Iterator[Found]:
        """Yield the traces of a page; `READERS` batches of it are in memory at most."""
        under_way: deque[tuple[list[dict[str, Any]], Future[dict[str, _Read]]]] = deque()
        waiting = deque(page)
        while waiting or under_way:
            while waiting and len(under_way) < READERS:
                batch = [waiting.popleft() for _ in range(min(len(waiting), self._light))]
                under_way.append((batch, pool.submit(self._read_spans, batch)))
            batch, asked = under_way.popleft()
            spans = asked.result()
            del asked
            for info in batch:
                yield self._make(experiment, info, *spans.pop(info["trace_id"]))

    def close(self) -> None:
        """Close the connections; reading must have ended."""
        self._server.close_all()

    def _read_experiments(self) -> Iterator[Experiment]:
        token: str | None = None
        while True:
            body = {"max_results": EXPERIMENT_PAGE, "view_type": "ACTIVE_ONLY"}
            if token:
                body["page_token"] = token
            answer = self._server.ask("POST", f"{V2}/experiments/search", body=body)
            for one in answer.get("experiments") or ():
                tags = {tag["key"]: tag.get("value") or "" for tag in one.get("tags") or ()}
                if self._selection.takes(one["experiment_id"], one["name"]):
                    yield Experiment(one["experiment_id"], one["name"], tags)
            token = answer.get("next_page_token")
            if not token:
                return

    def _pages(self, experiment: Experiment, place: Any) -> Iterator[list[dict[str, Any]]]:
        """Yield heads page by page. `place` is a time and the ids of that time that are done."""
        time_ms, done = place or (self._since_ms, [])
        seen = set(done)
        token: str | None = None
        while True:
            answer = self._search(experiment, time_ms, token)
            infos = answer.get("traces") or []
            fresh = [info for info in infos if info["trace_id"] not in seen]
            if fresh:
                yield fresh
            token = answer.get("next_page_token")
            if not token or not infos:
                return
            last_ms = parse_timestamp(infos[-1]["request_time"])
            if last_ms != time_ms:  # offsets get slow, and shift: the next page begins at a time
                time_ms, token = last_ms, None
                seen = {
                    one["trace_id"]
                    for one in infos
                    if parse_timestamp(one["request_time"]) == last_ms
                }
            else:
                seen.update(one["trace_id"] for one in infos)

    def _search(
        self, experiment: Experiment, time_ms: int | None, token: str | None
    ) -> dict[str, Any]:
        location = {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": experiment.id},
        }
        body: dict[str, Any] = {
            "locations": [location],
            "max_results": self._page,
            "order_by": ["timestamp_ms ASC"],
        }
        if time_ms is not None:
            body["filter"] = f"timestamp_ms >= {time_ms}"
        if token:
            body["page_token"] = token
        try:
            answer = self._ask_page(body)
        except NotFoundError as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                raise
            raise InvalidInputError(
                f"{self._server.address} has no API of MLflow 3: import from its database"
            ) from None
        return answer

    def _ask_page(self, body: dict[str, Any]) -> dict[str, Any]:
        """Ask for a page, for a smaller one where that takes too long."""
        path = f"{V3}/traces/search"
        while self._page > LEAST_PAGE:
            try:
                return dict(self._server.ask("POST", path, body=body, unless=NoAnswerError))
            except NoAnswerError:  # noqa: PERF203 - it was a long wait
                self._page = body["max_results"] = max(self._page // 2, LEAST_PAGE)
        return dict(self._server.ask("POST", path, body=body))

    def _make(
        self, experiment: Experiment, info: dict[str, Any], spans: list[SpanRecord], lost: list[str]
    ) -> Found:
        try:
            trace = read_info(info)
        except _UNREADABLE as error:
            return Unreadable(info["trace_id"], f"it can't be read: {_say(error)}")
        trace.experiment = experiment.name
        trace.spans, trace.problems = spans, lost
        trace.place = {experiment.id: (trace.request_time_ms, [trace.trace_id])}
        trace.size_bytes = OVERHEAD_BYTES * (1 + len(spans))
        has_files = False
        for span in spans:
            for value in span.attributes.values():
                text = str(value)
                trace.size_bytes += len(text)
                has_files = has_files or ATTACHMENT in text
        if has_files:
            trace.problems = [*lost, ATTACHMENTS_STAY]
        return trace

    def _read_spans(self, batch: list[dict[str, Any]]) -> dict[str, _Read]:
        """Return the spans of traces, and what could not be read of them."""
        found: dict[str, _Read] = {}
        stored = [info["trace_id"] for info in batch if _is_stored(info)]
        while stored:
            some, stored = stored[: self._in_time], stored[self._in_time :]
            found.update(self._read_stored(some)[0])
        for info in batch:
            trace_id = info["trace_id"]
            if trace_id not in found:
                ask = self._read_one if _is_stored(info) else self._read_file
                found[trace_id] = self._read_alone(ask, trace_id)
        return found

    def _read_stored(self, ids: list[str]) -> tuple[dict[str, _Read], bool]:
        """Return the spans that one answer has, or several; and whether one came in time.

        What is not in the server's database is left out, and so is what did not come at all.
        """
        found: dict[str, _Read] = {}
        try:
            path = f"{V3}/traces/batchGet"
            answer = self._server.fetch("GET", path, query={"trace_ids": ids}, unless=NoAnswerError)
            fitting = ANSWER_BYTES * len(ids) // (len(answer) + 1)
            self._light = max(1, min(BATCH, 2 * self._light, fitting))
            for one in self._server.decode(answer, path).get("traces") or ():
                trace_id = one["trace_info"]["trace_id"]
                found[trace_id] = _read_forms(one.get("spans") or [], trace_id)
        except NoAnswerError:
            return (self._read_halves(ids) if len(ids) > 1 else {}), False
        except ENDING:
            raise
        except _UNREADABLE:
            found.clear()
        return found, True

    def _read_halves(self, ids: list[str]) -> dict[str, _Read]:
        half = (len(ids) + 1) // 2
        first, is_first_in_time = self._read_stored(ids[:half])
        second, is_second_in_time = self._read_stored(ids[half:])
        if is_first_in_time and is_second_in_time:  # it was too much, and not one bad trace
            self._in_time = min(self._in_time, half)
        return {**first, **second}

    def _read_alone(self, ask: Callable[[str], _Read], trace_id: str) -> _Read:
        """Return the spans of one trace; where no answer comes, but the server lives, say so."""
        problem = ""
        for _ in range(LONE_ATTEMPTS):
            try:
                return ask(trace_id)
            except NoAnswerError as error:  # noqa: PERF203 - it was a long wait
                problem = _say(error)
            except ENDING:
                raise
            except _UNREADABLE as error:
                return [], [f"its spans: {_say(error)}"]
        with suppress(NotFoundError, RedirectError, UnauthenticatedError):
            self._server.fetch("GET", "/health")  # raises where nobody is there any more
        return [], [f"its spans: {problem}"]

    def _read_one(self, trace_id: str) -> _Read:
        query = {"trace_id": trace_id, "allow_partial": "true"}
        answer = self._server.ask("GET", f"{V3}/traces/get", query=query, unless=NoAnswerError)
        return _read_forms(answer["trace"].get("spans") or [], trace_id)

    def _read_file(self, trace_id: str) -> _Read:
        path = f"/ajax-api/2.0/mlflow/get-trace-artifact?request_id={quote(trace_id, safe='')}"
        return read_file(self._server.fetch("GET", path, unless=NoAnswerError), digits_of(trace_id))


def read_info(info: dict[str, Any]) -> MovedTrace:
    """Return a trace without its spans from the JSON that MLflow answers with."""
    duration = info.get("execution_duration")
    return MovedTrace(
        trace_id=info["trace_id"],
        request_time_ms=parse_timestamp(info["request_time"]),
        duration_ns=None if duration is None else read_duration(duration),
        state=STATES.get(info.get("state", "")),
        client_request_id=info.get("client_request_id"),
        request_preview=info.get("request_preview"),
        response_preview=info.get("response_preview"),
        metadata=dict(info.get("trace_metadata") or {}),
        tags={k: v for k, v in (info.get("tags") or {}).items() if k not in SERVER_TAGS},
        assessments=[dict(one) for one in info.get("assessments") or ()],
    )


def read_duration(text: str) -> int:
    """Return protobuf's text of a duration as nanoseconds.

    >>> read_duration("0.165s"), read_duration("2s")
    (165000000, 2000000000)
    """
    seconds, _, fraction = text.removesuffix("s").partition(".")
    return int(seconds) * NS_PER_S + int(fraction[:9].ljust(9, "0"))


def _read_forms(forms: list[dict[str, Any]], trace_id: str) -> _Read:
    digits = digits_of(trace_id)
    return read_each(forms, lambda form: read_wire(form, digits))


def _is_stored(info: dict[str, Any]) -> bool:
    return bool((info.get("tags") or {}).get(SPANS_LOCATION) == IN_STORE)


def _say(error: Exception) -> str:
    return error.message if isinstance(error, WhenceError) else f"{type(error).__name__}: {error}"
