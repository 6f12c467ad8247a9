"""Where the code of a module lies, without importing anything.

A module that is loaded tells its file. One that is not (the parent of uvicorn's workers never
imports the application) is looked up by its path. Namespace packages have no file; their folder
is the answer. Modules inside zip files are not found.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

SUFFIXES = (".py", ".pyc", ".so", ".pyd")
# Where platforms keep the programs that call a function: nobody's own code.
RUNTIME_FOLDERS = ("/var/runtime", "/var/lang", "/azure-functions-host")
SCRIPT_FOLDERS = ("/usr/bin", "/usr/local/bin", "~/.local/bin")


def file_of(module: Any) -> Path | None:
    """Return the file of a loaded module."""
    path = getattr(module, "__file__", None)
    if not isinstance(path, str) or path.startswith("<"):
        return None
    return Path(path).absolute()


def find_module(name: str, folders: Iterable[Path] = ()) -> Path | None:
    """Return the file of a module, else the folder of a namespace package, or None.

    `folders` are looked at before the current folder and `sys.path`.
    """
    loaded = file_of(sys.modules.get(name))
    if loaded is not None:
        return loaded
    relative = Path(*name.split("."))
    namespace = None
    for folder in (*folders, Path(), *map(Path, _import_folders())):
        base = (folder / relative).absolute()
        for candidate in (base / "__init__.py", *map(base.with_name, _file_names(base.name))):
            if candidate.is_file():
                return candidate
        if namespace is None and base.is_dir():
            namespace = base
    return namespace


def _import_folders() -> list[str]:
    return [folder for folder in sys.path if isinstance(folder, str)]


def _file_names(stem: str) -> list[str]:
    return [stem + suffix for suffix in SUFFIXES]


def name_package(main: Path) -> str | None:
    """Return the dotted name of the package whose `__main__.py` this is, or None for a folder's."""
    names: list[str] = []
    folder = main.parent
    while (folder / "__init__.py").is_file() and folder.name:
        names.insert(0, folder.name)
        folder = folder.parent
    return ".".join(names) or None


def own_file(file: Path | None) -> Path | None:
    """Return the file unless an installer put it there, whose repository would be another's."""
    return None if is_installed(file) else file


def is_installed(file: Path | None) -> bool:
    """Tell a file that an installer put there (a console script, a package) from one's own."""
    if file is None:
        return False
    library = Path(os.__file__).parent
    return (
        is_console_script(file)
        or "site-packages" in file.parts
        or "dist-packages" in file.parts
        or library in file.parents
        or any(Path(folder) in file.parents for folder in RUNTIME_FOLDERS)
    )


def is_console_script(file: Path) -> bool:
    """Tell whether the file is a command that an installer wrote."""
    folder = "Scripts" if os.name == "nt" else "bin"
    own = {Path(prefix) / folder for prefix in (sys.prefix, sys.exec_prefix)}
    if file.parent in own:
        return True
    if file.suffix == ".py":  # somebody's script, wherever it lies
        return False
    shared = {Path(one).expanduser() for one in SCRIPT_FOLDERS}
    try:  # pipx links its commands into a folder on the path
        return file.parent in shared or file.resolve().parent in own
    except (OSError, RuntimeError):
        return False
