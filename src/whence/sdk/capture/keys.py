"""What the SDK keeps in OpenTelemetry's context, and how it is put there and taken away.

Three entries: OpenTelemetry's own current span; `NEAREST`, the innermost span that *we* recorded
(a foreign SDK's span may be current below it) or `MUTED` where nothing is recorded; and `SCOPE`,
what `whence.tracing.context(...)` gives to the traces that start inside.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import Token
from typing import TYPE_CHECKING, Any

from opentelemetry.context import attach, create_key, detach, get_current
from opentelemetry.context.context import Context
from opentelemetry.trace import INVALID_SPAN, set_span_in_context

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "MUTED",
    "NEAREST",
    "SCOPE",
    "SPAN",
    "Context",
    "attach",
    "derive",
    "get_current",
    "muted",
    "restore",
]

SPAN: str = next(iter(set_span_in_context(INVALID_SPAN, Context())))
NEAREST = create_key("whence-nearest-span")
SCOPE = create_key("whence-scope")
MUTED = object()


def derive(context: Mapping[str, object], entries: dict[str, object]) -> Context:
    """Return a copy of a context with these entries set."""
    return Context({**context, **entries})


def restore(token: Any, attached: Context, before: Context) -> None:
    """Undo an `attach`, also where the token belongs to another task's or thread's context.

    That happens when a generator or coroutine is closed elsewhere. Then the current context is
    put back only if it is the one that was attached.
    """
    if not isinstance(token, Token):
        detach(token)  # a runtime context from a plug-in
        return
    try:
        token.var.reset(token)
    except (ValueError, RuntimeError):
        if get_current() is attached:
            attach(before)


@contextmanager
def muted() -> Iterator[None]:
    """Record nothing inside."""
    before = get_current()
    context = derive(before, {NEAREST: MUTED})
    token = attach(context)
    try:
        yield
    finally:
        restore(token, context, before)
