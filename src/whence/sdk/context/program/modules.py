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
SCRIPT_FOLDERS = ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin", "~/.local/bin")


def file_of(module: Any) -> Path | None:
    """Return the file of a loaded module."""
    path = getattr(module, "__file__", None)
    if path is None:  # Python takes it away from a script that has ended
        path = getattr(getattr(module, "__loader__", None), "path", None)
    if not isinstance(path, str) or path.startswith("<"):
        return None
    return make_absolute(path)


def make_absolute(path: str | Path) -> Path:
    """Return the path from the root; as it is, where the current folder is gone."""
    try:
        return Path(path).absolute()
    except OSError:
        return Path(path)


def is_file(path: Path) -> bool:
    """Tell whether a file lies there; False for what may not be looked at."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Tell whether a folder lies there; False for what may not be looked at."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def find_module(name: str, folders: Iterable[Path] = ()) -> Path | None:
    """Return the file of a module, else the folder of a namespace package, or None.

    `folders` are looked at before the current folder and `sys.path`.
    """
    loaded = file_of(sys.modules.get(name))
    if loaded is not None:
        return loaded
    parts = name.split(".")
    if not all(parts) or os.sep in name:  # no module's name
        return None
    relative = Path(*parts)
    namespace = None
    for folder in (*folders, Path(), *map(Path, _import_folders())):
        base = make_absolute(folder / relative)
        for candidate in (base / "__init__.py", *map(base.with_name, _file_names(base.name))):
            if is_file(candidate):
                return candidate
        if namespace is None and is_folder(base):
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
    while is_file(folder / "__init__.py") and folder.name:
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
    own = {Path(sys.prefix) / folder, Path(sys.exec_prefix) / folder}
    if file.parent in own:
        return True
    if file.suffix == ".py":  # somebody's script, wherever it lies
        return False
    try:  # pipx links its commands into a folder on the path
        shared = {Path(one).expanduser() for one in SCRIPT_FOLDERS}
        real = file.resolve().parent
        return file.parent in shared or real in own or real in {one.resolve() for one in own}
    except (OSError, RuntimeError, ValueError):
        return False
