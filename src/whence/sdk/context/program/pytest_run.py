"""The name of a test run: the first file or folder that pytest was told to collect, or `pytest`.

A worker of pytest-xdist is a bare interpreter; it is told the command of its controller, which
lies in the globals of its main thread's stack.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from whence.sdk.context.program.commands import read_seen
from whence.sdk.context.program.kinds import Program, find_kind
from whence.sdk.context.program.loaded import read_main_frames
from whence.sdk.context.program.modules import is_file, is_folder, make_absolute

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME, SOURCE = "pytest", "pytest's arguments"
XDIST_MODULE = "__channelexec__"
# Options whose value may be a path that is not collected.
PATH_OPTIONS = frozenset(
    {
        "-c",
        "--config-file",
        "--rootdir",
        "--confcutdir",
        "--basetemp",
        "--junitxml",
        "--junit-xml",
        "--ignore",
        "--ignore-glob",
        "--deselect",
        "--log-file",
        "--cov",
        "--cov-config",
        "--cov-report",
        "--import-mode",
        "-p",
        "-o",
        "-k",
        "-m",
        "-n",
        "--dist",
        "--numprocesses",
        "--tx",
        "--rsyncdir",
        "--durations",
        "--maxfail",
    }
)


def find_tests(arguments: Sequence[str]) -> Program:
    """Return the test run that pytest's arguments describe."""
    previous = ""
    for word in arguments:
        target = Path(word.partition("::")[0].partition("[")[0])
        is_value = word.startswith("-") or previous in PATH_OPTIONS
        previous = word
        if (
            is_value
            or not target.name
            or not (is_file(target) or is_folder(target))
            or _is_around(target)
        ):
            continue
        return Program(
            target.as_posix(), find_kind(), SOURCE, make_absolute(target), name_is_path=True
        )
    return Program(NAME, find_kind(), SOURCE, module=None)


def _is_around(target: Path) -> bool:
    """Tell whether this is the current folder or one around it, which says nothing."""
    here, there = Path.cwd(), target.resolve()
    return there == here or there in here.parents


def find_worker_tests() -> Program | None:
    """Return the test run that this process is a worker of, or None."""
    seen = read_seen()
    if seen is None or seen.target != "-c":
        return None
    for frame in read_main_frames():
        if frame.f_globals.get("__name__") == XDIST_MODULE:
            given = frame.f_globals.get("workerinput")
            words = given.get("mainargv") if isinstance(given, dict) else None
            return find_tests([str(word) for word in words[1:]]) if words else None
    return None
