"""Metadata that a function gives anew for every trace: `configure(metadata={"flag": read_flag})`.

The functions run in the program's own thread when a trace starts, and nothing is recorded inside
them. None leaves the key out. One that raises, or returns something to be awaited, is left out
too, counted as `computed_metadata` in `whence.tracing.stats().problems` and warned of once.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from whence.errors import InvalidInputError
from whence.sdk import diagnostics, settings
from whence.sdk.capture import keys
from whence.sdk.capture.trace_metadata import check_mapping
from whence.sdk.capture.values import text_of

if TYPE_CHECKING:
    from collections.abc import Callable


def split_metadata(given: Any) -> tuple[dict[Any, Any], dict[str, Callable[[], Any]]]:
    """Return the values that are fixed, and the functions that compute one for each trace.

    Raises `InvalidInputError` where it is no dict, or a function is not an ordinary one.
    """
    fixed = dict(check_mapping(given, "metadata"))
    computed = {key: fixed.pop(key) for key, value in list(fixed.items()) if callable(value)}
    for key, function in computed.items():
        if not isinstance(key, str):
            raise InvalidInputError(f"A metadata key with a function must be a str, not {key!r}.")
        if _is_suspendable(function) or _is_suspendable(type(function).__call__):
            raise InvalidInputError(
                f"The metadata {key!r} is computed when a trace starts, which can't wait: give a "
                "function that returns the value at once, not a coroutine or generator function."
            )
    return fixed, computed


def compute_metadata() -> dict[str, Any]:
    """Call the functions that were configured; return what they gave."""
    found = {}
    with keys.muted():  # a traced function would start a trace, which calls it again
        for key, function in list(settings.computed.items()):
            try:
                value = function()
                if inspect.isawaitable(value):
                    getattr(value, "close", bool)()
                    raise TypeError("it returned something to be awaited")  # noqa: TRY301 - as a failure
            except Exception as error:  # noqa: BLE001, PERF203 - the user's function
                diagnostics.warn_once(
                    "computed_metadata",
                    "The function for the metadata %r failed (%s: %s); the key is left out, here "
                    "and whenever that happens again.",
                    key,
                    type(error).__name__,
                    text_of(error),
                )
            else:
                if value is not None:
                    found[key] = value
    return found


def _is_suspendable(function: Any) -> bool:
    return (
        inspect.iscoroutinefunction(function)
        or inspect.isasyncgenfunction(function)
        or inspect.isgeneratorfunction(function)
    )
