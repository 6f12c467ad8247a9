"""The command that started this process: a module, a script, code, or nothing, and its words.

Two sources, which differ where it matters. `sys.orig_argv` is what the process was started with;
`sys.argv` and the main module are what the program sees: multiprocessing gives its children the
parent's, and profilers and debuggers give the script that they run its own. A child that was
started to do its parent's work (a *carrier*: multiprocessing's, execnet's, loky's) and was given
nothing is looked up at its parents, where `/proc` tells.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from whence.sdk.context.program.modules import (
    is_file,
    is_installed,
    make_absolute,
    name_package,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MODULE, SCRIPT, CODE, STDIN, CONSOLE = "module", "script", "code", "stdin", "console"
TYPED, SEEN, PARENTS = "sys.orig_argv", "sys.argv", "the parent's command line"

CARRIER_CODE = (
    "multiprocessing.spawn import spawn_main",
    "multiprocessing.forkserver import main",
    "billiard.spawn import spawn_main",
    "billiard.forkserver import main",
    "import sys;exec(eval(sys.stdin.readline()))",  # execnet
)
CARRIER_MODULES = ("joblib.externals.loky", "loky.backend", "pyspark.daemon", "pyspark.worker")
CARRIER_FILES = ("ray/_private/workers/default_worker.py", "ray/workers/default_worker.py")
MAX_PARENTS = 8
INTERPRETER = re.compile(r"^(python|pypy)")
OPTIONS_WITH_VALUE = "WX"  # of the interpreter, beside -c and -m


class Command(msgspec.Struct, frozen=True):
    """How a program was started. `target` is the module, the script's path or the code."""

    how: str
    target: str
    arguments: tuple[str, ...] = ()
    source: str = SEEN

    @property
    def path(self) -> Path:
        """The path of a script, absolute."""
        return make_absolute(self.target)


def parse_command(words: Sequence[str], source: str) -> Command:
    """Read a whole command line, the interpreter's name first."""
    rest = list(words[1:])
    while rest:
        word = rest.pop(0)
        if word == "-":
            return Command(STDIN, "-", tuple(rest), source)
        if word.startswith("--"):
            if word == "--check-hash-based-pycs" and rest:
                rest.pop(0)
            continue
        if not word.startswith("-"):
            return Command(SCRIPT, word, tuple(rest), source)
        for position, letter in enumerate(word[1:], start=2):
            if letter in "cm":
                target = word[position:] or (rest.pop(0) if rest else "")
                return Command(CODE if letter == "c" else MODULE, target, tuple(rest), source)
            if letter in OPTIONS_WITH_VALUE:
                if not word[position:] and rest:
                    rest.pop(0)
                break
    return Command(CONSOLE, "", (), source)


def read_typed() -> Command | None:
    """Return what this process was started with."""
    words = getattr(sys, "orig_argv", None)
    return parse_command(words, TYPED) if words else None


def read_seen() -> Command | None:
    """Return what the program sees of its command; None where Python is embedded."""
    argv = [word for word in getattr(sys, "argv", ()) if isinstance(word, str)]
    if not argv:
        return None
    first, arguments = argv[0], tuple(argv[1:])
    if first in ("", "-c", "-"):
        return Command({"": CONSOLE, "-c": CODE, "-": STDIN}[first], first, arguments)
    main = sys.modules.get("__main__")
    module, path = name_main_module(main), make_absolute(first)
    # A profiler or debugger that runs a script puts the script's path first.
    origin = getattr(getattr(main, "__spec__", None), "origin", None) or ""
    is_other = str(path) != origin and is_file(path) and is_installed(Path(origin))
    if module is not None and not is_other:
        return Command(MODULE, module, arguments)
    if path.name == "__main__.py" and (package := name_package(path)):
        return Command(MODULE, package, arguments)
    return Command(SCRIPT, first, arguments)


def name_main_module(main: Any) -> str | None:
    """Return the name given to `python -m`, without a package's `.__main__`."""
    spec = getattr(main, "__spec__", None)
    name = getattr(spec, "name", None)
    if not isinstance(name, str) or name in ("__main__", "__mp_main__"):
        return None
    return name.removesuffix(".__main__")


def is_carrier(command: Command | None) -> bool:
    """Tell whether a process was only started to do its parent's work."""
    if command is None:
        return False
    if command.how == CODE:
        return any(word in command.target for word in CARRIER_CODE)
    if command.how == MODULE:
        return command.target.startswith(CARRIER_MODULES)
    return command.how == SCRIPT and command.target.replace("\\", "/").endswith(CARRIER_FILES)


def read_commands() -> list[Command]:
    """Return the commands of this program, the one that names it first.

    [] where Python is embedded in another program, or nothing tells what it works for.
    """
    seen, typed = read_seen(), read_typed()
    if seen is None:
        return []
    if seen.target == "-m" and typed is not None:  # a package that is imported on the way
        return [typed]
    commands = [seen] if not is_carrier(seen) and not _is_emptied(seen, typed) else []
    if typed is not None and not is_carrier(typed):
        commands.append(typed)
    if not commands:
        commands.extend(read_parents())
    return commands


def _is_emptied(seen: Command, typed: Command | None) -> bool:
    """Tell whether a carrier's child was given no command line of its parent."""
    return seen.how in (CODE, STDIN, CONSOLE) and is_carrier(typed)


def read_parents() -> Iterator[Command]:
    """Yield the command of the nearest parent that is no carrier itself (Linux only)."""
    process = os.getppid()
    for _ in range(MAX_PARENTS):
        words = read_words(process)
        if not words or not INTERPRETER.match(Path(words[0]).name):
            return
        command = parse_command(words, PARENTS)
        if not is_carrier(command):
            yield command
            return
        process = _read_parent(process)


def read_words(process: int) -> list[str]:
    """Return the command line of a process, [] where it can't be read."""
    try:
        raw = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(word) for word in raw.split(b"\0")[:-1]]


def _read_parent(process: int) -> int:
    try:  # the name in parentheses may hold anything, blanks too
        fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
        return int(fields[1])
    except (OSError, ValueError, IndexError):
        return 0
