"""The ends of a process that the SDK can still use: exit, SIGTERM and fork.

SIGTERM: queued spans go out within `TERM_FLUSH_S`, then the handler that was there before is
called, or, where there was none, the signal does what it does. In that case, once the main thread
has traced, a `watcher` does the same while that thread is busy in C. Nothing is installed outside
the main thread, where SIGTERM is ignored, or over a handler that Python doesn't know; a program
that installs its own handler later replaces ours, and exit still flushes. A forked child has the
signal's default action again until its main thread traces: it may never do, and has nothing to
bring to safety before.

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
import time
import weakref
from typing import TYPE_CHECKING, Any

from whence.sdk import diagnostics
from whence.sdk.delivery.watcher import Watcher, die_of_sigterm, open_watcher

if TYPE_CHECKING:
    from whence.sdk.delivery.pipeline import Pipeline

EXIT_FLUSH_S = 5.0
TERM_FLUSH_S = 2.0

_pipelines: weakref.WeakSet[Pipeline] = weakref.WeakSet()
_process_of_finalizer = 0
_process_of_exit = 0
_process_of_sigterm = 0
_previous: Any = None
_watcher: Watcher | None = None
_ending_threads: dict[int, int] = {}  # by process: the thread that ends it at SIGTERM


def watch(pipeline: Pipeline) -> None:
    """Flush this pipeline when the process ends, and renew it in a forked child."""
    global _process_of_exit  # noqa: PLW0603 - process-wide by nature
    _pipelines.add(pipeline)
    if not _process_of_exit:
        _process_of_exit = os.getpid()
        atexit.register(_at_exit)
    _watch_multiprocessing()
    watch_sigterm()
    _watch_beside_main()


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
    """Chain our handler in front of the one that is there, once in a process.

    Starts no thread: a program that only declares what it will trace may still fork.
    """
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


def _watch_beside_main() -> None:
    """Start the watcher where the signal would have ended the process without us."""
    global _watcher  # noqa: PLW0603
    if _watcher is not None or threading.current_thread() is not threading.main_thread():
        return
    is_ours = signal.getsignal(signal.SIGTERM) is _on_sigterm
    if is_ours and _previous is signal.SIG_DFL:
        _watcher = open_watcher(_end_beside_main)


def _on_sigterm(number: int, frame: Any) -> None:
    if callable(_previous):
        _hurry()
        _previous(number, frame)
        return
    if not _is_mine_to_end():
        time.sleep(2 * TERM_FLUSH_S)  # the watcher has begun, and ends the process meanwhile
    _hurry()
    _end_programs()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _end_beside_main() -> None:
    """In the watcher's thread: what the handler does, unless it has begun or is no longer ours."""
    if signal.getsignal(signal.SIGTERM) is not _on_sigterm or not _is_mine_to_end():
        return
    pipelines = list(_pipelines)
    guard = pipelines[0].preparing() if pipelines else contextlib.nullcontext()
    try:
        _hurry()
        _end_programs()
    finally:
        die_of_sigterm(guard)


def _is_mine_to_end() -> bool:
    """Say whether the thread that asks was the first to do so. Safe in a signal handler."""
    me = threading.get_ident()
    return _ending_threads.setdefault(os.getpid(), me) == me


def _hurry() -> None:
    for pipeline in list(_pipelines):
        try:
            pipeline.hurry(TERM_FLUSH_S)
        except Exception as error:  # noqa: BLE001, PERF203 - gevent's hub lets nobody wait
            diagnostics.caught("flushing at SIGTERM", error)


# --- Fork -------------------------------------------------------------------------------------


def _before_fork() -> None:
    for pipeline in list(_pipelines):
        pipeline.before_fork()


def _after_fork_in_parent() -> None:
    for pipeline in list(_pipelines):
        pipeline.after_fork_in_parent()


def _after_fork_in_child() -> None:
    _forget_sigterm()
    for pipeline in list(_pipelines):
        pipeline.after_fork_in_child()


def _forget_sigterm() -> None:
    global _process_of_sigterm, _watcher  # noqa: PLW0603
    _process_of_sigterm = 0
    watcher, _watcher = _watcher, None
    if watcher is not None:
        with contextlib.suppress(OSError, ValueError):
            watcher.abandon()
    if _previous is signal.SIG_DFL and signal.getsignal(signal.SIGTERM) is _on_sigterm:
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
