"""The order in which a program's name is looked for, and the names of plain programs.

A notebook, then the application behind a launcher, then a function that a platform calls, then
the module, console script or script itself. What Python is embedded in has no name unless it
offers one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from whence.sdk import diagnostics
from whence.sdk.context.program.commands import (
    CODE,
    CONSOLE,
    MODULE,
    PARENTS,
    SCRIPT,
    STDIN,
    Command,
    name_main_module,
    read_commands,
    read_seen,
)
from whence.sdk.context.program.handlers import find_handler
from whence.sdk.context.program.kinds import UNKNOWN, Program, find_kind
from whence.sdk.context.program.launchers import find_application
from whence.sdk.context.program.loaded import find_embedder
from whence.sdk.context.program.modules import (
    file_of,
    find_module,
    is_file,
    is_folder,
    is_installed,
    make_absolute,
    own_file,
)
from whence.sdk.context.program.notebook import find_notebook, find_shell
from whence.sdk.context.program.pytest_run import find_worker_tests

INTERACTIVE = frozenset({"ipython", "ipython3", "bpython", "ptpython", "ptipython", "IPython"})
CONSOLE_NAME = "<console>"
LAUNCHER_NAMES = frozenset({"__main__.py"})
PEX_MARK = "PEX-INFO"


def find_program() -> Program:
    """Look at the running process. Never raises."""
    try:
        found = _look()
    except Exception as error:  # noqa: BLE001 - detection must never break the program
        diagnostics.caught("context", error)
        found = Program(next(iter(getattr(sys, "argv", ())), None) or None, UNKNOWN, "sys.argv")
    # A name in the file system may hold bytes that are no text. An empty one is unknown.
    name = (found.name or "").encode("utf-8", "replace").decode() or None
    return found if name == found.name else msgspec.structs.replace(found, name=name)


def _look() -> Program:
    found = find_notebook() or find_worker_tests() or find_embedder()
    if found is not None:
        return found
    commands = read_commands()
    for command in commands:
        if (application := find_application(command)) is not None:
            return application
    named = next(iter(commands), None)
    if _may_be_called(named) and (handler := find_handler()) is not None:
        return handler
    if (bundle := _find_bundle()) is not None:
        return bundle
    if named is None:
        kind = UNKNOWN if read_seen() is None else find_kind()
        return Program(None, kind, "sys.argv")
    return name_command(named)


def find_late(found: Program) -> Program | None:
    """Return a better answer than what `find_program` found, or None; may take two seconds.

    It asks where only another process knows: the Jupyter server of a notebook without a name,
    and Databricks. For a background thread.
    """
    from whence.sdk.context.program.databricks import find_databricks

    shell = find_shell()
    names = getattr(shell, "user_ns", None) or vars(sys.modules.get("__main__", sys))
    if os.environ.get("DATABRICKS_RUNTIME_VERSION"):
        return find_databricks(names)
    if shell is None or found.name is not None:
        return None
    from whence.sdk.context.program.jupyter import ask_servers, find_kernel_file
    from whence.sdk.context.program.notebook import describe_notebook

    kernel_file = find_kernel_file()
    path = ask_servers(kernel_file) if kernel_file is not None else None
    return describe_notebook(str(path), "the Jupyter server") if path is not None else None


def _may_be_called(command: Command | None) -> bool:
    """Tell whether the command is a platform's, which calls functions, and no one's own."""
    if command is None or command.how == CODE:
        return True
    if command.how == MODULE:
        return is_installed(_find_main_module(command))
    return command.how == SCRIPT and is_installed(_find_script(command))


def name_command(command: Command) -> Program:
    """Return the program that is no launcher's."""
    kind = find_kind()
    if command.how == MODULE:
        return _name_module(command, kind)
    if command.how != SCRIPT:
        name = {CODE: "-c", STDIN: "-", CONSOLE: CONSOLE_NAME}[command.how]
        return Program(name, kind, command.source)
    file = _find_script(command)
    if is_installed(file):
        return _name_console_script(command, kind)
    is_path = file is not None and (is_file(file) or is_folder(file))
    return Program(
        command.target, kind, command.source, file if is_path else None, name_is_path=is_path
    )


def _name_module(command: Command, kind: str) -> Program:
    if command.target in INTERACTIVE:
        return Program(CONSOLE_NAME, kind, command.source)
    file = _find_main_module(command)
    name = command.target.removesuffix(".__main__")
    source = command.source if command.source == PARENTS else "python -m"
    return Program(name, kind, source, own_file(file), module=name)


def _find_main_module(command: Command) -> Path | None:
    """Return the file of the module that `python -m` was given."""
    main = sys.modules.get("__main__")
    is_running = name_main_module(main) == command.target
    return file_of(main) if is_running else find_module(command.target)


def _name_console_script(command: Command, kind: str) -> Program:
    name = Path(command.target).name.removesuffix(".exe").removesuffix(".py")
    if name in INTERACTIVE:
        return Program(CONSOLE_NAME, kind, command.source)
    module = _find_entry_module()
    code = own_file(find_module(module)) if module else None
    return Program(name, kind, "console script", code, module=module, script=name)


def _find_script(command: Command) -> Path | None:
    """Return the file of a script, the archive for one in a zip file."""
    file = file_of(sys.modules.get("__main__"))
    typed = command.path
    if file is None or (file.name != typed.name and file.name not in LAUNCHER_NAMES):
        file = typed
    # A zip archive's main module lies in it: app.pyz/__main__.py.
    return next((path for path in (file, *file.parents) if is_file(path)), file)


def _find_bundle() -> Program | None:
    """Return the one file that holds the program and its packages: frozen, or a PEX."""
    if getattr(sys, "frozen", False) and sys.executable:
        path = Path(sys.executable)
        name = path.stem if path.suffix == ".exe" else path.name
        return Program(name, find_kind(), "sys.executable", path)
    given = os.environ.get("PEX")
    if not given or not is_file(Path(given)):
        return None
    # A program that a PEX starts inherits the variable: look whether this is the unpacked copy.
    main = file_of(sys.modules.get("__main__"))
    folders = [Path(sys.prefix), *([main.parent] if main is not None else [])]
    if not any(is_file(folder / PEX_MARK) for folder in folders):
        return None
    bundle = make_absolute(given)
    return Program(str(bundle), find_kind(), "env PEX", bundle, name_is_path=True)


def _find_entry_module() -> str | None:
    """Return the module whose function a console script has imported to call it."""
    main: Any = sys.modules.get("__main__")
    for value in list(vars(main).values()) if main is not None else ():
        module = getattr(value, "__module__", None)
        if callable(value) and isinstance(module, str) and _is_entry_module(module):
            return module
    return None


def _is_entry_module(name: str) -> bool:
    own = name in ("__main__", "__mp_main__") or name.partition(".")[0] in sys.stdlib_module_names
    return not own and name in sys.modules
