"""The one pipeline of this process: made with the first trace; it renews itself in a forked child.

`submit` never raises and never blocks. `whence.testing.capture_spans` puts a list in its place.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from whence.errors import InvalidInputError
from whence.sdk import diagnostics, settings
from whence.sdk.capture import active, ids
from whence.sdk.capture.pending import collect_pending, report_inherited
from whence.sdk.delivery.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from whence.sdk.delivery.batches import Exportable, ProcessDocument

SYNCHRONOUS_TIMEOUT_S = 10.0

_lock = threading.RLock()
_pipeline: Pipeline | None = None
_sink: Callable[[Exportable], object] | None = None


def submit(item: Exportable) -> None:
    """Hand a finished span over."""
    (_sink or start())(item)


def report(trace_id: int) -> None:
    """In a forked child: say that this trace's root is still open in the parent."""
    sink, root = start(), report_inherited(trace_id)
    if root is not None and _pipeline is not None and sink == _pipeline.submit:
        _pipeline.report(root)


def start() -> Callable[[Exportable], object]:
    """Return where finished spans go; the first call starts the exporter."""
    global _sink  # noqa: PLW0603 - process-wide by nature
    sink = _sink
    if sink is not None:
        return sink
    with _lock:
        if _sink is None:
            try:
                _sink = get_pipeline().submit
            except Exception as error:  # noqa: BLE001 - tracing never breaks the program
                diagnostics.caught("starting the exporter", error)
                _sink = discard
        return _sink


def get_pipeline() -> Pipeline:
    """Return the pipeline of this process."""
    global _pipeline  # noqa: PLW0603
    with _lock:
        if _pipeline is None:
            _pipeline = Pipeline(
                _resource_attributes,
                collect_pending,
                is_settled=_is_settled,
                resolve_late=_resolve_late,
                documents=_documents,
                report_again=active.report_again,
                destination=settings.active_url(),
            )
        return _pipeline


def wait_for_delivery() -> None:
    """Wait until what has ended is delivered, or spooled because the server is away."""
    if _pipeline is not None:
        _pipeline.flush(SYNCHRONOUS_TIMEOUT_S)


def running_pipeline() -> Pipeline | None:
    """Return the pipeline if it was started."""
    return _pipeline


def discard(_item: Any) -> None:
    """Drop a span because the exporter could not be started."""
    diagnostics.count("dropped_without_exporter")


def redirect(sink: Callable[[Exportable], object] | None) -> Callable[[Exportable], object] | None:
    """Send finished spans elsewhere (None: to the exporter); return where they went before."""
    global _sink
    with _lock:
        before, _sink = _sink, sink
        return before


def shut_down() -> None:
    """Deliver what is queued and stop; the next span starts a new pipeline."""
    global _pipeline, _sink  # noqa: PLW0603
    with _lock:
        stopping, _pipeline = _pipeline, None
        if stopping is not None:
            _sink = None
    if stopping is not None:
        stopping.shutdown()


def follow_settings() -> None:
    """Tell a running pipeline that destination and resource may have changed."""
    if _pipeline is not None:
        from whence.sdk.delivery.destination import parse_destination

        _pipeline.invalidate_resource()
        try:
            _pipeline.set_destination(parse_destination(settings.active_url()))
        except InvalidInputError as error:  # a variable of the environment
            diagnostics.caught("going back to the environment's destination", error)


# --- What the exporter asks: its thread does the imports, and forks wait for them ---------------


def _resource_attributes() -> dict[str, Any]:
    from whence.sdk.capture import wire as _  # noqa: F401 - what encoding needs
    from whence.sdk.context import process

    return process.resource_attributes()


def _is_settled() -> bool:
    from whence.sdk.context import process

    if process.is_settled():
        return True
    from whence.sdk.context import late_modules

    late_modules.load()  # forks wait for this function, but not for `_resolve_late`
    return False


def _resolve_late() -> None:
    from whence.sdk.context import process

    process.resolve_late()


def _documents() -> Sequence[ProcessDocument]:
    from whence.sdk.context import process

    return process.documents()


# --- Fork ---------------------------------------------------------------------------------------


def _renew_after_fork() -> None:
    global _lock  # noqa: PLW0603
    _lock = threading.RLock()
    active.inherit()
    ids.reseed()
    diagnostics.renew_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_after_fork)
