"""The ends of a process that the SDK can still use: exit, SIGTERM and fork.

SIGTERM: queued spans go out within `TERM_FLUSH_S`, then the handler that was there before is
called, or, where there was none, the signal does what it does. Nothing is installed outside the
main thread, where SIGTERM is ignored, or over a handler that Python doesn't know; a program that
installs its own handler later replaces ours, and exit still flushes.

Processes of `multiprocessing` end without `atexit`; they are flushed by its own finalizers.
A process killed by SIGKILL or `os._exit` loses what the last half second had not yet written.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

from whence.sdk import diagnostics

if TYPE_CHECKING:
    from whence.sdk.delivery.pipeline import Pipeline

EXIT_FLUSH_S = 5.0
TERM_FLUSH_S = 2.0

_pipelines: weakref.WeakSet[Pipeline] = weakref.WeakSet()
_process_of_finalizer = 0
_process_of_exit = 0
_process_of_sigterm = 0
_previous: Any = None


def watch(pipeline: Pipeline) -> None:
    """Flush this pipeline when the process ends, and renew it in a forked child."""
    global _process_of_exit  # noqa: PLW0603 - process-wide by nature
    _pipelines.add(pipeline)
    if not _process_of_exit:
        _process_of_exit = os.getpid()
        atexit.register(_at_exit)
    _watch_multiprocessing()
    watch_sigterm()


def _at_exit() -> None:
    for pipeline in list(_pipelines):
        pipeline.shutdown(EXIT_FLUSH_S)
    _end_programs()


def _end_programs() -> None:
    """Leave no git program behind; by now nobody waits for its answer."""
    git_program = sys.modules.get("whence.sdk.context.work_tree.git_program")
    if git_program is not None:
        try:
            git_program.end_running()
        except Exception as error:  # noqa: BLE001 - the process's end goes on
            diagnostics.caught("ending the git program", error)


def _watch_multiprocessing() -> None:
    global _process_of_finalizer  # noqa: PLW0603
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is None or process is None or process.parent_process() is None:
        return
    if _process_of_finalizer != os.getpid():
        _process_of_finalizer = os.getpid()
        util.Finalize(None, _at_exit, exitpriority=-100)


def watch_sigterm() -> None:
    """Chain our handler in front of the one that is there, once in a process."""
    global _previous, _process_of_sigterm  # noqa: PLW0603
    if _process_of_sigterm == os.getpid():
        return
    if threading.current_thread() is not threading.main_thread():
        return
    _process_of_sigterm = os.getpid()
    handler = signal.getsignal(signal.SIGTERM)
    if handler is not _on_sigterm and (handler is signal.SIG_DFL or callable(handler)):
        _previous = handler
        with contextlib.suppress(ValueError):  # not the main interpreter
            signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, frame: Any) -> None:
    for pipeline in list(_pipelines):
        pipeline.hurry(TERM_FLUSH_S)
    if callable(_previous):
        _previous(number, frame)
    else:
        _end_programs()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


# --- Fork -------------------------------------------------------------------------------------


def _before_fork() -> None:
    for pipeline in list(_pipelines):
        pipeline.before_fork()


def _after_fork_in_parent() -> None:
    for pipeline in list(_pipelines):
        pipeline.after_fork_in_parent()


def _after_fork_in_child() -> None:
    for pipeline in list(_pipelines):
        pipeline.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
