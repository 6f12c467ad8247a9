"""The active trace and span, as the program sees them, and what it may say about the trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whence.entities.trace_state import TraceState
from whence.errors import InvalidInputError, NotFoundError
from whence.sdk import diagnostics, settings
from whence.sdk.capture import active, keys
from whence.sdk.capture.noop import NO_OP_SPAN, NO_OP_TRACE_ID, NoOpSpan
from whence.sdk.capture.start import current_span
from whence.sdk.capture.trace_metadata import (
    check_mapping,
    replace_surrogates,
    with_session_and_user,
)
from whence.sdk.capture.values import text_of

if TYPE_CHECKING:
    from whence.entities.experiment import Experiment
    from whence.sdk.capture.span import LiveSpan

# Tags that only the server writes, and one that MLflow's client refuses.
IMMUTABLE_TAGS = frozenset(
    {
        "mlflow.user",
        "mlflow.artifactLocation",
        "mlflow.trace.spansLocation",
        "mlflow.trace.archiveLocation",
        "mlflow.trace.archivalFailure",
    }
)
STATES = (TraceState.OK.value, TraceState.ERROR.value)


def is_recording_off() -> bool:
    """Return whether nothing is recorded here: switched off, or this trace is not sampled."""
    return not settings.current.enabled or keys.get_current().get(keys.NEAREST) is keys.MUTED


def get_current_active_span() -> LiveSpan | NoOpSpan | None:
    """Return the active span, or None. Where nothing is recorded it is a `NoOpSpan`."""
    return NO_OP_SPAN if is_recording_off() else current_span()


def get_active_trace_id() -> str | None:
    """Return the id of the active trace, or None."""
    span = get_current_active_span()
    return None if span is None else span.trace_id


def get_last_active_trace_id(thread_local: bool = False) -> str | None:
    """Return the id of the trace whose root ended last in this process, or in this thread."""
    return active.last_trace_id(thread_local=thread_local)


def update_current_trace(
    tags: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    client_request_id: str | None = None,
    request_preview: str | None = None,
    response_preview: str | None = None,
    state: TraceState | str | None = None,
    model_id: str | None = None,
    session_id: str | list[str] | None = None,
    user: str | None = None,
) -> None:
    """Say something about the active trace: immutable metadata, mutable tags, previews, a state.

    May be called any number of times until the root span ends; a key said again is replaced.
    A value of None leaves its key out. Without an active trace it logs a warning.

    >>> import whence
    >>> with whence.start_span("answer"):
    ...     whence.update_current_trace(metadata={"app_version": "2.1.0"}, session_id="s-1")
    """
    context = keys.get_current()
    if not settings.current.enabled or context.get(keys.NEAREST) is keys.MUTED:
        return
    span = current_span(context)
    if span is None:
        diagnostics.warn(
            "updates_without_trace",
            "No active trace found: update_current_trace() does nothing here. Call it inside a "
            "function decorated with @whence.trace or a `with whence.start_span()` block.",
        )
        return
    tags_given = check_mapping(tags, "tags")
    metadata_given = check_mapping(metadata, "metadata")
    if session_id is not None or user is not None or model_id is not None:
        metadata_given = with_session_and_user(metadata_given, session_id, user, model_id)
    said = {
        "client_request_id": None if client_request_id is None else tag_text(client_request_id),
        "request_preview": check_preview(request_preview, "request_preview"),
        "response_preview": check_preview(response_preview, "response_preview"),
        "state": None if state is None else check_state(state),
    }
    trace = span.active_trace
    if metadata_given:
        trace.add_metadata(metadata_given)
    if tags_given:
        trace.add_tags(tags_given)
    trace.say(**said)


def check_preview(preview: Any, name: str) -> str | None:
    """Return the preview, or raise `InvalidInputError` where it is not a string."""
    if preview is None:
        return None
    if not isinstance(preview, str):
        raise InvalidInputError(
            f"The `{name}` parameter must be a string, but got {type(preview).__name__}."
        )
    return tag_text(preview)


def check_state(state: TraceState | str) -> str:
    """Return "OK" or "ERROR", or raise `InvalidInputError`."""
    name = getattr(state, "value", state)
    if name not in STATES:
        raise InvalidInputError(f"State must be either 'OK' or 'ERROR', but got '{name}'.")
    return str(name)


def tag_text(value: Any) -> str:
    """Return a value as a tag, a preview or an id stores it."""
    return replace_surrogates(str.__str__(value) if isinstance(value, str) else text_of(value))


def may_change_tag(trace_id: str, key: str) -> bool:
    """Return whether a tag can be changed; say in the log that one is immutable."""
    if key in IMMUTABLE_TAGS:
        diagnostics.logger.warning("The tag %s is immutable and is not changed.", key)
        return False
    return trace_id != NO_OP_TRACE_ID


def set_trace_tag(trace_id: str, key: str, value: str) -> None:
    """Set a tag: in memory while the trace is open in this process, on the server afterwards."""
    if not may_change_tag(trace_id, key):
        return
    trace = active.find_open(trace_id)
    if trace is not None:
        trace.add_tags({key: tag_text(value)})
        return
    from whence.sdk.reading import client

    client.set_trace_tag(trace_id, key, tag_text(value))


def delete_trace_tag(trace_id: str, key: str) -> None:
    """Delete a tag: in memory while the trace is open in this process, on the server afterwards."""
    if not may_change_tag(trace_id, key):
        return
    trace = active.find_open(trace_id)
    if trace is not None:
        if trace.tags.pop(key, None) is None:
            raise NotFoundError(f"Tag with key {key} not found in trace with ID {trace_id}.")
        trace.revision += 1
        return
    from whence.sdk.reading import client

    client.delete_trace_tag(trace_id, key)


def set_experiment(
    experiment_name: str | None = None,
    experiment_id: str | None = None,
    trace_location: Any = None,
) -> Experiment:
    """Send the traces that start from now on to this experiment, by name or by id.

    The id follows from the name, so nothing is looked up; the server makes the experiment known
    with its first trace. Returns the experiment, with the name "" where only an id was given.
    """
    if trace_location is not None:
        raise InvalidInputError(
            "Whence keeps traces in experiments; `trace_location` must be None."
        )
    if (experiment_name is None) == (experiment_id is None):
        raise InvalidInputError("Give either `experiment_name` or `experiment_id`.")
    given = experiment_name if experiment_id is None else experiment_id
    if not isinstance(given, str) or not given:
        raise InvalidInputError(f"An experiment is named by a non-empty string, not {given!r}.")
    from whence.entities.experiment import Experiment

    key = settings.experiment_key(experiment_name, experiment_id)
    settings.current.experiment = key
    return Experiment(experiment_id=key[0], name=key[1])
