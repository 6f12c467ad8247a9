"""`MlflowClient`: the tracing methods of MLflow's client class.

Spans that it starts are recorded as all others are: they go where this process records to. What it
reads and changes lies at the `tracking_uri` that it was made with, by default the same place.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from whence.entities.paged_list import PagedList
from whence.errors import InvalidInputError, NotFoundError
from whence.sdk.capture import active, by_id, current
from whence.sdk.capture.noop import NO_OP_SPAN, NO_OP_TRACE_ID
from whence.sdk.capture.scope import DEFAULT_TYPE, start_span_no_context
from whence.sdk.capture.span import LiveSpan
from whence.sdk.capture.start import run_metadata
from whence.sdk.reading import client as reading
from whence.sdk.reading.experiments import ACTIVE_ONLY, Experiments
from whence.sdk.reading.judgements import Judgements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whence.entities.assessment import Assessment
    from whence.entities.experiment import Experiment
    from whence.entities.span import Span
    from whence.entities.trace import Trace

__all__ = ["MlflowClient"]

MAX_PAGE = 500
LINKED_PROMPTS = "mlflow.linkedPrompts"
OK = "OK"


class MlflowClient:
    """Records spans by their ids; reads and changes what is stored. Thread-safe."""

    def __init__(self, tracking_uri: str | None = None, registry_uri: str | None = None) -> None:
        """Talk to the server or the local store at `tracking_uri`; there is no model registry."""
        del registry_uri
        self._own = None if tracking_uri is None else reading.Client(tracking_uri)
        self._judgements = Judgements(self._reader)
        self._experiments = Experiments(self._reader)

    def __getattr__(self, name: str) -> NoReturn:
        from whence.left_out import describe_absence

        raise AttributeError(describe_absence("MlflowClient", name))

    def _reader(self) -> reading.Client:
        return self._own or reading.current_client()

    # --- Recording ------------------------------------------------------------------------------

    def start_trace(
        self,
        name: str,
        span_type: str = DEFAULT_TYPE,
        inputs: Any = None,
        attributes: dict[str, Any] | None = None,
        tags: dict[str, str] | None = None,
        experiment_id: str | None = None,
        start_time_ns: int | None = None,
        run_id: str | None = None,
        links: Sequence[Any] | None = None,
    ) -> Span:
        """Start a trace and return its root, which is not made current; `end_trace` ends it."""
        span = start_span_no_context(
            name,
            span_type,
            inputs=inputs,
            attributes=attributes,
            tags=tags,
            metadata=run_metadata(run_id),
            experiment_id=experiment_id,
            start_time_ns=start_time_ns,
            links=links,
        )
        return _kept(span)

    def end_trace(
        self,
        trace_id: str,
        outputs: Any = None,
        attributes: dict[str, Any] | None = None,
        status: Any = OK,
        end_time_ns: int | None = None,
    ) -> None:
        """End the root of a trace that is open in this process.

        Raises `InvalidInputError` where it has ended, `NotFoundError` where there is none.
        """
        if trace_id == NO_OP_TRACE_ID:
            return
        root = by_id.find_root(trace_id)
        if root is None:
            if by_id.has_ended(trace_id):
                raise InvalidInputError(f"Trace with ID {trace_id} already finished.")
            raise NotFoundError(f"Trace with ID {trace_id} not found.")
        root.end(outputs, attributes, status, end_time_ns)
        by_id.let_trace_go(trace_id)

    def start_span(
        self,
        name: str,
        trace_id: str,
        parent_id: str,
        span_type: str = DEFAULT_TYPE,
        inputs: Any = None,
        attributes: dict[str, Any] | None = None,
        start_time_ns: int | None = None,
        links: Sequence[Any] | None = None,
    ) -> Span:
        """Start a span below another one, which is open in this process; `end_span` ends it.

        Raises `NotFoundError` where the parent is not there.
        """
        if trace_id == NO_OP_TRACE_ID:
            return NO_OP_SPAN
        if not parent_id:
            raise InvalidInputError(
                "start_span() must be called with an explicit parent_id. "
                "MlflowClient().start_trace() starts a new trace with its root span."
            )
        parent = by_id.find_span(trace_id, parent_id)
        if parent is None:
            raise NotFoundError(f"Parent span with ID '{parent_id}' not found.")
        span = start_span_no_context(
            name,
            span_type,
            parent_span=parent,
            inputs=inputs,
            attributes=attributes,
            start_time_ns=start_time_ns,
            links=links,
        )
        return _kept(span)

    def end_span(
        self,
        trace_id: str,
        span_id: str,
        outputs: Any = None,
        attributes: dict[str, Any] | None = None,
        status: Any = OK,
        end_time_ns: int | None = None,
    ) -> None:
        """End a span that is open in this process. Raises `NotFoundError`."""
        if trace_id == NO_OP_TRACE_ID:
            return
        span = by_id.find_span(trace_id, span_id)
        if span is None:
            raise NotFoundError(
                f"Span with ID {span_id} is not open in the trace with ID {trace_id}."
            )
        span.end(outputs, attributes, status, end_time_ns)
        by_id.let_go(span)

    # --- Reading --------------------------------------------------------------------------------

    def get_trace(self, trace_id: str, display: bool = True, flush: bool = False) -> Trace:
        """Return a trace with its spans. Raises `NotFoundError`. `display` changes nothing."""
        del display
        client = self._reader()
        client.catch_up(reading.EXPLICIT_FLUSH_TIMEOUT_S if flush else reading.FLUSH_TIMEOUT_S)
        return client.get_trace(trace_id)

    def search_traces(
        self,
        experiment_ids: list[str] | None = None,
        filter_string: str | None = None,
        max_results: int = 100,
        order_by: list[str] | None = None,
        page_token: str | None = None,
        run_id: str | None = None,
        include_spans: bool = True,
        model_id: str | None = None,
        locations: list[str] | None = None,
        flush: bool = False,
    ) -> PagedList[Trace]:
        """Return one page of traces, newest first; its `token` asks for the next one.

        `locations` are experiment ids (`experiment_ids` is the older word), by default the active
        experiment; `max_results` is at most 500.
        """
        if experiment_ids and locations:
            raise InvalidInputError(
                "Cannot specify both 'experiment_ids' (deprecated) and 'locations'. "
                "Use 'locations' only."
            )
        if isinstance(max_results, bool) or not 0 < max_results <= MAX_PAGE:
            raise InvalidInputError(
                f"Invalid value {max_results} for parameter 'max_results' supplied: "
                f"it must be a positive integer, at most {MAX_PAGE}."
            )
        client = self._reader()
        client.catch_up(reading.EXPLICIT_FLUSH_TIMEOUT_S if flush else reading.FLUSH_TIMEOUT_S)
        traces, token = client.search_page(
            reading.narrow_filter(filter_string, run_id=run_id, model_id=model_id),
            experiment_ids=reading.resolve_locations(locations or experiment_ids),
            order_by=order_by or (),
            max_results=max_results,
            cursor=page_token,
            include_spans=include_spans,
        )
        return PagedList(traces, token)

    def delete_traces(
        self,
        experiment_id: str,
        max_timestamp_millis: int | None = None,
        max_traces: int | None = None,
        trace_ids: list[str] | None = None,
    ) -> int:
        """Delete traces of an experiment for good; return how many there were.

        Either those of `trace_ids`, or those that started at `max_timestamp_millis` or before,
        the oldest `max_traces` of them.
        """
        _check_deletion(max_timestamp_millis, max_traces, trace_ids)
        client = self._reader()
        client.catch_up()
        if trace_ids:
            return client.delete_traces_of(str(experiment_id), trace_ids)
        answers = client.iter_answers(
            f"timestamp_ms <= {int(max_timestamp_millis or 0)}",
            experiment_ids=[str(experiment_id)],
            order_by=["timestamp ASC"],
            max_results=max_traces,
        )
        return client.delete_traces([answer["info"]["trace_id"] for answer in answers])

    # --- Tags and judgements ----------------------------------------------------------------------

    def set_trace_tag(self, trace_id: str, key: str, value: Any) -> None:
        """Set a tag: in memory while the trace is open in this process, else where it is stored."""
        if self._own is None or active.find_open(trace_id) is not None:
            current.set_trace_tag(trace_id, key, value)
        elif current.may_change_tag(trace_id, key):
            self._own.catch_up()
            self._own.set_trace_tag(trace_id, key, current.tag_text(value))

    def delete_trace_tag(self, trace_id: str, key: str) -> None:
        """Delete a tag. Raises `NotFoundError` where there is none."""
        if self._own is None or active.find_open(trace_id) is not None:
            current.delete_trace_tag(trace_id, key)
        elif current.may_change_tag(trace_id, key):
            self._own.catch_up()
            self._own.delete_trace_tag(trace_id, key)

    def log_assessment(self, trace_id: str, assessment: Assessment) -> Assessment:
        """Store a judgement of a trace; return it as it was stored."""
        return self._judgements.log(trace_id, assessment)

    def get_assessment(self, trace_id: str, assessment_id: str) -> Assessment:
        """Return a judgement of a trace. Raises `NotFoundError`."""
        return self._judgements.read(trace_id, assessment_id)

    def update_assessment(
        self, trace_id: str, assessment_id: str, assessment: Assessment
    ) -> Assessment:
        """Change a judgement's name, value, rationale or metadata."""
        return self._judgements.update(trace_id, assessment_id, assessment)

    def delete_assessment(self, trace_id: str, assessment_id: str) -> None:
        """Delete a judgement; one that isn't there is deleted."""
        self._judgements.delete(trace_id, assessment_id)

    def link_prompt_versions_to_trace(self, prompt_versions: Sequence[Any], trace_id: str) -> None:
        """Note which versions of prompts a trace used, in its tag `mlflow.linkedPrompts`.

        A version is anything with a `name` and a `version`. Those linked before stay linked.
        """
        text = self.get_trace(trace_id).info.tags.get(LINKED_PROMPTS) or "[]"
        linked = {(one["name"], str(one["version"])): None for one in json.loads(text)}
        linked.update({(one.name, str(one.version)): None for one in prompt_versions})
        entries = [{"name": name, "version": version} for name, version in linked]
        self.set_trace_tag(trace_id, LINKED_PROMPTS, json.dumps(entries))

    # --- Experiments ------------------------------------------------------------------------------

    def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: Mapping[str, Any] | None = None
    ) -> str:
        """Make an experiment and return its id. Raises `AlreadyExistsError`."""
        return self._experiments.create(name, tags, artifact_location)

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Return an experiment. Raises `NotFoundError`."""
        return self._experiments.get(experiment_id)

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """Return the experiment of this name, or None."""
        return self._experiments.find(name)

    def search_experiments(
        self,
        view_type: int = ACTIVE_ONLY,
        max_results: int | None = 1000,
        filter_string: str | None = None,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Experiment]:
        """Return experiments; `token` is the place in the list where the next page begins."""
        found = self._experiments.search(view_type, filter_string, order_by)
        start = int(page_token or 0)
        end = len(found) if max_results is None else start + max_results
        return PagedList(found[start:end], str(end) if end < len(found) else None)

    def delete_experiment(self, experiment_id: str) -> None:
        """Delete an experiment. Raises `NotFoundError`."""
        self._experiments.delete(experiment_id)

    def restore_experiment(self, experiment_id: str) -> None:
        """Bring a deleted experiment back. Raises `NotFoundError`."""
        self._experiments.restore(experiment_id)

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """Give an experiment another name. Raises `NotFoundError`."""
        self._experiments.rename(experiment_id, new_name)

    def set_experiment_tag(self, experiment_id: str, key: str, value: Any) -> None:
        """Set a tag of an experiment. Raises `NotFoundError`."""
        self._experiments.set_tag(experiment_id, key, value)

    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Delete a tag of an experiment. Raises `NotFoundError`."""
        self._experiments.delete_tag(experiment_id, key)


def _kept(span: Span) -> Span:
    if isinstance(span, LiveSpan):
        by_id.keep(span)
    return span


def _check_deletion(
    max_timestamp_millis: int | None, max_traces: int | None, trace_ids: Sequence[str] | None
) -> None:
    if isinstance(trace_ids, str):
        raise InvalidInputError("`trace_ids` is a list of trace ids, not one string.")
    if max_timestamp_millis is None and not trace_ids:
        raise InvalidInputError("Either `max_timestamp_millis` or `trace_ids` must be specified.")
    if max_timestamp_millis is not None and trace_ids:
        raise InvalidInputError(
            "Only one of `max_timestamp_millis` and `trace_ids` can be specified."
        )
    if trace_ids and max_traces is not None:
        raise InvalidInputError("`max_traces` can't be specified if `trace_ids` is specified.")
    if max_traces is not None and max_traces <= 0:
        raise InvalidInputError(f"`max_traces` must be a positive integer, received {max_traces}.")
