"""What a server holds in memory: for applications that no word of the command line names.

Servers keep their configuration in a variable of the function that runs them, which stands on the
main thread's stack for as long as they serve, in forked workers too. Only frames of the functions
in the table are read. Where a worker switches stacks (gevent), a signal's handler leads to it.
uWSGI and mod_wsgi embed Python and offer a module.
"""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from whence.sdk.context.program.kinds import Program, find_kind
from whence.sdk.context.program.modules import file_of, find_module, make_absolute, own_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

Row = tuple[str, str, str, tuple[str, ...]]
# launcher → (module, function, variable, its attributes that lead to the application's name)
_UVICORN = (
    ("uvicorn.server", "run", "self", ("config", "app")),
    ("uvicorn._subprocess", "subprocess_started", "config", ("app",)),
    ("uvicorn.supervisors.basereload", "run", "self", ("config", "app")),
    ("uvicorn.supervisors.multiprocess", "run", "self", ("config", "app")),
)
FRAMES: dict[str, tuple[Row, ...]] = {
    "gunicorn": (("gunicorn.arbiter", "run", "self", ("app", "app_uri")),),
    "uvicorn": _UVICORN,
    "fastapi": _UVICORN,
}
# launcher → (a signal whose handler is a method of the worker, its attributes as above)
HANDLED = {"gunicorn": ("SIGUSR1", ("app", "app_uri"))}
MAX_FRAMES = 500
UWSGI_OPTIONS = ("module", "wsgi", "wsgi-file", "file")
MOD_WSGI_PREFIX = "_mod_wsgi_"


def read_loaded_app(launcher: str) -> str | None:
    """Return the application's name as its running server knows it, or None."""
    values = (*_read_frames(FRAMES.get(launcher, ())), *_read_handler(launcher))
    return next((value for value in values if isinstance(value, str) and value), None)


def _read_frames(rows: tuple[Row, ...]) -> Iterator[Any]:
    for frame in read_main_frames() if rows else ():
        where = (frame.f_globals.get("__name__"), frame.f_code.co_name)
        for module, function, variable, attributes in rows:
            if where == (module, function):
                yield _follow(frame.f_locals.get(variable), attributes)


def _read_handler(launcher: str) -> Iterator[Any]:
    name, attributes = HANDLED.get(launcher, ("", ()))
    number = getattr(signal, name, None)
    if number is not None:
        yield _follow(getattr(signal.getsignal(number), "__self__", None), attributes)


def read_main_frames() -> Iterator[FrameType]:
    """Yield the frames of the main thread, the innermost first."""
    identity = threading.main_thread().ident
    frame = sys._current_frames().get(identity or 0)  # noqa: SLF001 - documented, for debuggers
    for _ in range(MAX_FRAMES):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def _follow(value: Any, attributes: tuple[str, ...]) -> Any:
    for attribute in attributes:
        value = getattr(value, attribute, None)
    return value


def find_embedder() -> Program | None:
    """Return the application that uWSGI or mod_wsgi runs in this process, or None."""
    options = getattr(sys.modules.get("uwsgi"), "opt", None)
    if isinstance(options, dict):
        for name in UWSGI_OPTIONS:
            value = options.get(name)
            value = value[0] if isinstance(value, list) and value else value
            text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            if isinstance(text, str) and text:
                return _describe(text, "uWSGI's options")
    if "mod_wsgi" in sys.modules:
        for name, module in list(sys.modules.items()):
            if name.startswith(MOD_WSGI_PREFIX) and (file := file_of(module)) is not None:
                return _describe(str(file), "mod_wsgi's script")
    return None


def _describe(text: str, source: str) -> Program:
    if "/" in text or text.endswith((".py", ".wsgi")):
        return Program(text, find_kind(), source, own_file(make_absolute(text)), name_is_path=True)
    module = text.partition(":")[0]
    return Program(text, find_kind(), source, own_file(find_module(module)), module=module)
