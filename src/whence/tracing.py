"""Switches and scopes of tracing, under the names that MLflow gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from whence.sdk import diagnostics, settings
from whence.sdk.capture import active, processors
from whence.sdk.capture.block import ContextBlock
from whence.sdk.capture.propagation import (
    get_tracing_context_headers_for_http_request,
    set_tracing_context_from_http_request_headers,
)
from whence.sdk.capture.trace_metadata import (
    CONTEXT_SOURCE,
    Scope,
    check_mapping,
    clean,
    with_session_and_user,
)
from whence.sdk.configure import check_flag
from whence.sdk.configure import configure_processors as configure

if TYPE_CHECKING:
    from whence.sdk.capture.tracer import WhenceTracerProvider
    from whence.sdk.reading.flush import Stats

__all__ = [
    "configure",
    "context",
    "disable",
    "disable_notebook_display",
    "enable",
    "enable_notebook_display",
    "get_bridged_tracer_provider",
    "get_tracing_context_headers_for_http_request",
    "reset",
    "set_destination",
    "set_span_chat_tools",
    "set_tracing_context_from_http_request_headers",
    "stats",
]


def __getattr__(name: str) -> NoReturn:
    from whence.left_out import describe_absence

    raise AttributeError("module " + describe_absence("whence.tracing", name))


def context(
    metadata: dict[str, Any] | None = None,
    tags: dict[str, Any] | None = None,
    enabled: bool | None = None,
    session_id: str | list[str] | None = None,
    user: str | None = None,
) -> ContextBlock:
    """Give metadata, tags, a session and a user to every trace that starts inside the block.

    Blocks nest: they are merged and the inner one wins; `whence.update_current_trace` beats them
    all. Tasks started inside take the block along; a thread does where it is given a copy of the
    context (`contextvars.copy_context().run`, `asyncio.to_thread`). `enabled=False` records nothing
    inside, for this thread or task only; `enabled=True` in a block within records again.

    It is a decorator too, for functions, coroutine functions and generators.

    >>> import whence
    >>> with whence.tracing.context(session_id="session-1", user="u-7"):
    ...     with whence.start_span("turn"):
    ...         pass
    """
    check_flag(enabled, "enabled")
    given = with_session_and_user(check_mapping(metadata, "metadata"), session_id, user)
    entries, cut = clean(given, "metadata")
    tag_entries, _ = clean(check_mapping(tags, "tags"), "tags")
    sources = dict.fromkeys(entries, CONTEXT_SOURCE)
    return ContextBlock(Scope(entries, tag_entries, frozenset(cut), sources), enabled)


def disable() -> None:
    """Stop recording in this process: decorated functions just run."""
    settings.current.enabled = False


def enable() -> None:
    """Record again."""
    settings.current.enabled = True


def reset() -> None:
    """Forget what was configured and every open trace; spans that ended are still delivered.

    Settings are read from the environment anew.
    """
    settings.reset()
    processors.reset()
    diagnostics.reset()
    active.forget()
    from whence.sdk import runtime
    from whence.sdk.context import process as process_context

    process_context.forget()
    runtime.follow_settings()


def set_destination(destination: Any, *, context_local: bool = False) -> None:
    """Send the traces that start from now on to an experiment, whichever one is active.

    `destination` is an `MlflowExperimentLocation` or a `TraceLocation`; None takes an earlier call
    back. `context_local=True` holds for this thread or task, and what it starts, alone. Whence
    keeps traces in experiments: Databricks' locations raise `InvalidInputError`.

    >>> import whence
    >>> from whence.entities import MlflowExperimentLocation
    >>> whence.tracing.set_destination(MlflowExperimentLocation("7"), context_local=True)
    """
    from whence.sdk.capture import target

    target.set_destination(destination, context_local=context_local)


def set_span_chat_tools(span: Any, tools: list[Any]) -> None:
    """Note which tools a chat model may call, in the form of OpenAI's API.

    Raises `InvalidInputError` where one is not `{"type": "function", "function": {"name": …}}`.
    """
    from whence.sdk.capture import chat_tools

    chat_tools.set_span_chat_tools(span, tools)


def get_bridged_tracer_provider() -> WhenceTracerProvider:
    """Return an OpenTelemetry tracer provider whose spans Whence records, beside its own."""
    from whence.sdk.capture.tracer import provider

    return provider


def stats() -> Stats:
    """Return the counts of this process: spans recorded, exported, spooled, retried and dropped.

    `problems` counts, by kind, what went wrong in capture.
    """
    from whence.sdk.reading.flush import stats as collect

    return collect()


def disable_notebook_display() -> None:
    """Show a trace in a notebook's cell as text alone."""
    from whence.entities.trace_html import Display

    Display.enabled = False


def enable_notebook_display() -> None:
    """Show a trace in a notebook's cell as a tree of its spans, as at first."""
    from whence.entities.trace_html import Display

    Display.enabled = True
