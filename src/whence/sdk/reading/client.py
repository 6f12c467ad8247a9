"""Reading traces back, and changing what may change about them: tags, and whether they are there.

Every call first delivers what this process has recorded (at most `FLUSH_TIMEOUT_S`), and has a
local store take its spool in, so that a program sees its own writes. Everything else goes over
HTTP to the server of the tracking URI; for a local store one is started if there is none.

`get_trace` never raises and, other than MLflow's, returns a trace that is still in progress too.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from whence.entities.experiment import Experiment
from whence.entities.rest import trace_from_api
from whence.errors import InvalidInputError
from whence.sdk import diagnostics, runtime, settings
from whence.sdk.delivery.destination import LocalStore, Server, parse_destination
from whence.sdk.reading.dataframe import build_dataframe, has_pandas
from whence.sdk.reading.http import HttpReader, UnreachableError, path_of
from whence.sdk.reading.local_server import find_or_start_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd
    from typing_extensions import Self

    from whence.entities.trace import Trace

FLUSH_TIMEOUT_S = 5.0
EXPLICIT_FLUSH_TIMEOUT_S = 30.0
API = "/api/v1"
PAGE_WITH_SPANS = 100
PAGE = 500
MAX_DELETED_AT_ONCE = 500
MAX_NAMED_AT_ONCE = 100
ALL_EXPERIMENTS: tuple[str, ...] = ()


class Client:
    """Talks to one destination: a server's URL, or the path of a local store. Thread-safe."""

    def __init__(self, url: str | None = None) -> None:
        """Use the given destination, else the process's own. Nothing is opened yet."""
        self._destination = parse_destination(url or settings.active_url())
        self._reader: HttpReader | None = None
        self._opening = threading.Lock()

    @property
    def server_url(self) -> str:
        """The address of the server; for a local store one is started if there is none."""
        return self._open().server.url

    def call(self, method: str, path: str, *, query: Any = None, body: Any = None) -> Any:
        """Send one request to `/api/v1` + path; return the decoded answer."""
        return self._retrying(
            lambda reader: reader.request(method, API + path, query=query, body=body)
        )

    def catch_up(self, timeout_s: float = FLUSH_TIMEOUT_S) -> None:
        """Have everything that was recorded until now arrive in the store.

        What takes longer, or waits for a server that is away, is missing in the next answer; that
        is said at most once a minute.
        """
        pipeline = runtime.running_pipeline()
        if pipeline is not None and not pipeline.flush(timeout_s):
            diagnostics.warn(
                "read_too_early",
                "Not all that this process recorded has arrived within %g s; what is read now may "
                "lack traces that are on their way. whence.flush() waits longer.",
                timeout_s,
            )
        if isinstance(self._destination, LocalStore):
            self.call("POST", "/intake")

    def get_trace(self, trace_id: str) -> Trace:
        """Return a trace with its spans. Raises `NotFoundError`."""
        return trace_from_api(self.read_trace(trace_id))

    def read_trace(self, trace_id: str) -> dict[str, Any]:
        """Return the API's own JSON for a trace: `info`, `spans`, `conflicts`."""
        if not isinstance(trace_id, str) or not trace_id:
            raise InvalidInputError(f"a trace id is a non-empty string, not {trace_id!r}")
        answer: dict[str, Any] = self.call("GET", "/traces" + path_of(trace_id))
        return answer

    def iter_answers(
        self,
        filter_string: str | None = None,
        *,
        experiment_ids: Sequence[str] = ALL_EXPERIMENTS,
        order_by: Sequence[str] = (),
        max_results: int | None = None,
        include_spans: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Yield the API's own JSON (`info`, and `spans` if asked for); a page is read when needed.

        No experiment ids mean all experiments.
        """
        left = max_results
        cursor: str | None = None
        while left is None or left > 0:
            size = PAGE_WITH_SPANS if include_spans else PAGE
            search = _describe_search(
                filter_string,
                experiment_ids,
                order_by,
                size if left is None else min(size, left),
                cursor,
                include_spans,
            )
            page = self.call("POST", "/traces/search", body=search)
            yield from page["traces"]
            if left is not None:
                left -= len(page["traces"])
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def search_page(
        self,
        filter_string: str | None,
        *,
        experiment_ids: Sequence[str],
        order_by: Sequence[str],
        max_results: int,
        cursor: str | None,
        include_spans: bool,
    ) -> tuple[list[Trace], str | None]:
        """Return one page of traces, and what asks for the next one."""
        search = _describe_search(
            filter_string, experiment_ids, order_by, max_results, cursor, include_spans
        )
        page = self.call("POST", "/traces/search", body=search)
        return [trace_from_api(one) for one in page["traces"]], page.get("next_cursor")

    def set_trace_tag(self, trace_id: str, key: str, value: str) -> None:
        """Set a tag. Raises `NotFoundError` where there is no such trace."""
        self.call("PUT", "/traces" + path_of(trace_id, "tags", key), body={"value": value})

    def delete_trace_tag(self, trace_id: str, key: str) -> None:
        """Delete a tag. Raises `NotFoundError` where there is none."""
        self.call("DELETE", "/traces" + path_of(trace_id, "tags", key))

    def delete_traces(self, trace_ids: Sequence[str]) -> int:
        """Delete traces for good; return how many there were."""
        deleted = 0
        for start in range(0, len(trace_ids), MAX_DELETED_AT_ONCE):
            chunk = list(trace_ids[start : start + MAX_DELETED_AT_ONCE])
            deleted += self.call("POST", "/traces/delete", body={"trace_ids": chunk})["deleted"]
        return deleted

    def delete_traces_of(self, experiment_id: str, trace_ids: Sequence[str]) -> int:
        """Delete those of the traces that lie in an experiment; return how many there were."""
        deleted = 0
        named = [_quoted(str(one), "trace_ids") for one in dict.fromkeys(trace_ids)]
        for start in range(0, len(named), MAX_NAMED_AT_ONCE):
            chunk = ", ".join(named[start : start + MAX_NAMED_AT_ONCE])
            answers = self.iter_answers(f"trace_id IN ({chunk})", experiment_ids=[experiment_id])
            deleted += self.delete_traces([one["info"]["trace_id"] for one in answers])
        return deleted

    def search_experiments(self) -> list[Experiment]:
        """Return all experiments."""
        answer = self.call("GET", "/experiments")
        return [Experiment.from_dict(one) for one in answer["experiments"]]

    def close(self) -> None:
        """Close this thread's connection."""
        reader = self._reader
        if reader is not None:
            reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> HttpReader:
        with self._opening:
            if self._reader is None:
                destination = self._destination
                if isinstance(destination, LocalStore):
                    destination = find_or_start_server(destination.path)
                self._reader = HttpReader(destination)
            return self._reader

    def _retrying(self, ask: Callable[[HttpReader], Any]) -> Any:
        """Ask; where a local store's server has left meanwhile, ask its successor."""
        was_open = self._reader is not None
        reader = self._open()
        try:
            return ask(reader)
        except UnreachableError:
            if not was_open or isinstance(self._destination, Server):
                raise
            with self._opening:
                if self._reader is reader:
                    self._reader = None
            return ask(self._open())


def _describe_search(
    filter_string: str | None,
    experiment_ids: Sequence[str],
    order_by: Sequence[str],
    max_results: int,
    cursor: str | None,
    include_spans: bool,
) -> dict[str, Any]:
    """Return the body of a search."""
    return {
        "filter_string": filter_string or "",
        "experiment_ids": list(experiment_ids),
        "order_by": list(order_by),
        "max_results": max_results,
        "cursor": cursor,
        "include_spans": include_spans,
    }


_current: tuple[tuple[int, str], Client] | None = None


def current_client() -> Client:
    """Return the client of this process's destination; the same one until that changes."""
    global _current  # noqa: PLW0603 - one per process; a tuple, so that a reader sees both or none
    key = (os.getpid(), settings.active_url())
    cached = _current
    if cached is None or cached[0] != key:
        cached = _current = (key, Client(key[1]))
    return cached[1]


def get_trace(
    trace_id: str | None = None,
    silent: bool = False,
    flush: bool = False,
    *,
    request_id: str | None = None,
) -> Trace | None:
    """Return a trace with its spans, or None (with a warning unless `silent`) where there is none.

    Never raises. A trace that is still in progress is returned with what has arrived of it, in
    state IN_PROGRESS. `flush=True` waits longer for what this process has yet to deliver.
    `request_id` is MLflow's older word for `trace_id`.

    >>> import whence
    >>> whence.get_trace("tr-" + 32 * "0", silent=True) is None
    True
    """
    wanted = trace_id or request_id or ""
    try:
        client = current_client()
        client.catch_up(EXPLICIT_FLUSH_TIMEOUT_S if flush else FLUSH_TIMEOUT_S)
        return client.get_trace(wanted)
    except Exception as error:  # noqa: BLE001 - as MLflow's, it never raises
        if not silent:
            diagnostics.logger.warning("No trace %r: %s", wanted, error)
        return None


def search_traces(
    experiment_ids: list[str] | None = None,
    filter_string: str | None = None,
    max_results: int | None = None,
    order_by: list[str] | None = None,
    extract_fields: list[str] | None = None,
    run_id: str | None = None,
    return_type: str | None = None,
    model_id: str | None = None,
    sql_warehouse_id: str | None = None,
    include_spans: bool = True,
    locations: list[str] | None = None,
    flush: bool = False,
) -> pd.DataFrame | list[Trace]:
    """Find traces by a filter, newest first unless `order_by` says otherwise.

    Returns a DataFrame with MLflow's twelve columns where pandas is installed, else (or with
    `return_type="list"`) a list of `Trace`. `locations` are experiment ids, by default the active
    experiment; `experiment_ids` is the older word. `max_results=None` returns everything. `run_id`
    and `model_id` narrow the search. Raises `FilterError` with the column for a wrong filter.

    >>> import whence
    >>> whence.search_traces(filter_string="metadata.region = 'moon'", return_type="list")
    []
    """
    if return_type is None:
        return_type = "pandas" if has_pandas() else "list"
    if return_type not in ("pandas", "list"):
        raise InvalidInputError(f"`return_type` is 'pandas' or 'list', not {return_type!r}.")
    if return_type == "pandas" and not has_pandas():
        raise InvalidInputError("A DataFrame needs pandas: install it, or use return_type='list'.")
    if extract_fields is not None:
        raise InvalidInputError("`extract_fields` is not offered; take columns of the DataFrame.")
    if sql_warehouse_id is not None:
        diagnostics.logger.warning("`sql_warehouse_id` means nothing to Whence and is ignored.")
    traces = iter_traces(
        narrow_filter(filter_string, run_id=run_id, model_id=model_id),
        locations=locations or experiment_ids,
        order_by=order_by,
        max_results=max_results,
        include_spans=include_spans,
        flush=flush,
    )
    return build_dataframe(traces) if return_type == "pandas" else list(traces)


def iter_traces(
    filter_string: str | None = None,
    *,
    locations: list[str] | None = None,
    order_by: list[str] | None = None,
    max_results: int | None = None,
    include_spans: bool = True,
    flush: bool = False,
) -> Iterator[Trace]:
    """Yield what `search_traces` finds, page by page: nothing is read that is not asked for."""
    if isinstance(locations, str) or isinstance(order_by, str):
        raise InvalidInputError("`locations` and `order_by` are lists of strings.")
    if max_results is not None and (isinstance(max_results, bool) or max_results < 0):
        raise InvalidInputError(f"`max_results` must be a positive integer, got {max_results}.")
    client = current_client()
    experiment_ids = resolve_locations(locations)

    def traces() -> Iterator[Trace]:
        if max_results == 0:
            return
        client.catch_up(EXPLICIT_FLUSH_TIMEOUT_S if flush else FLUSH_TIMEOUT_S)
        for answer in client.iter_answers(
            filter_string,
            experiment_ids=experiment_ids,
            order_by=order_by or (),
            max_results=max_results,
            include_spans=include_spans,
        ):
            yield trace_from_api(answer)

    return traces()


def resolve_locations(locations: Sequence[str] | None) -> list[str]:
    """Return experiment ids: those given, else the active experiment's."""
    return [str(one) for one in locations or (settings.active_experiment()[0],)]


def narrow_filter(
    filter_string: str | None, *, run_id: str | None = None, model_id: str | None = None
) -> str:
    """Add a run or a model to a filter, as MLflow does."""
    text = filter_string or ""
    if model_id is not None:
        if text:
            raise InvalidInputError("Cannot specify both `model_id` or `filter_string`.")
        text = f"metadata.`mlflow.modelId` = {_quoted(model_id, 'model_id')}"
    if run_id is None:
        return text
    clause = f"attributes.run_id = {_quoted(run_id, 'run_id')}"
    if not text.strip():
        return clause
    # Parentheses move the column that an error names, so only where they matter.
    return f"({text}) AND {clause}" if " or " in text.lower() else f"{text} AND {clause}"


def _quoted(value: str, name: str) -> str:
    for quote in ("'", '"'):
        if quote not in value:
            return f"{quote}{value}{quote}"
    raise InvalidInputError(f"`{name}` must not hold both kinds of quotes: {value}")


def set_trace_tag(trace_id: str, key: str, value: str) -> None:
    """Set a tag of a stored trace. Raises `NotFoundError` where there is no such trace."""
    client = current_client()
    client.catch_up()
    client.set_trace_tag(trace_id, key, value)


def delete_trace_tag(trace_id: str, key: str) -> None:
    """Delete a tag of a stored trace. Raises `NotFoundError` where there is none."""
    client = current_client()
    client.catch_up()
    client.delete_trace_tag(trace_id, key)


def delete_traces(trace_ids: Sequence[str]) -> int:
    """Delete traces for good, with all that belongs to them; return how many there were."""
    if isinstance(trace_ids, str):
        raise InvalidInputError("`trace_ids` is a list of trace ids, not one string.")
    client = current_client()
    client.catch_up()
    return client.delete_traces(list(trace_ids))


def search_experiments() -> list[Experiment]:
    """Return all experiments."""
    client = current_client()
    client.catch_up()
    return client.search_experiments()
