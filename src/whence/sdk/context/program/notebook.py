"""The notebook that an IPython kernel runs: known at once from the editor, a variable or a parent.

Jupyter's server gives its kernels `JPY_SESSION_NAME`; VS Code writes `__vsc_ipynb_file__` into
the user's names; `jupyter execute`, nbconvert and papermill have the path in their command line
(seen on Linux), papermill with `--inject-paths` among the user's names too. Nothing tells in Colab
and Kaggle, or where a program runs a notebook by nbclient: then the name stays unknown.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from whence.sdk.context.program.commands import read_words
from whence.sdk.context.program.kinds import NOTEBOOK, Program
from whence.sdk.context.program.modules import is_file, make_absolute

NOTEBOOK_VARIABLES = ("IPYNB_FILE", "JPY_SESSION_NAME")
EDITOR_NAME = "__vsc_ipynb_file__"
PAPERMILL_NAME = "PAPERMILL_INPUT_PATH"
DATABRICKS = "DATABRICKS_RUNTIME_VERSION"
SUFFIX = ".ipynb"
# A parent with one of these words executes the notebooks that it is given.
EXECUTORS = frozenset({"execute", "nbconvert", "jupyter-execute", "jupyter-nbconvert"})
PAPERMILL = "papermill"  # is given one, and the name of its copy


def find_notebook() -> Program | None:
    """Return the notebook, where a kernel runs one; its name may be unknown."""
    shell = find_shell()
    if shell is None:
        return None
    names = getattr(shell, "user_ns", None) or {}
    for name in (EDITOR_NAME, PAPERMILL_NAME):
        path = names.get(name)
        if isinstance(path, str) and path:
            return describe_notebook(path, name)
    for name in NOTEBOOK_VARIABLES:
        path = os.environ.get(name)
        if path:
            return describe_notebook(path, f"env {name}")
    executed = _find_executed(os.getppid())
    if executed is not None:
        return describe_notebook(executed, "the parent's command line")
    return Program(None, NOTEBOOK, "IPython kernel")


def find_shell() -> Any:
    """Return IPython's shell, if this process is the kernel of a notebook."""
    interactive = sys.modules.get("IPython")
    get_shell = getattr(interactive, "get_ipython", None)
    shell = get_shell() if callable(get_shell) else None
    if shell is None:
        return None
    is_kernel = any(cls.__name__ == "ZMQInteractiveShell" for cls in type(shell).__mro__)
    return shell if is_kernel or os.environ.get(DATABRICKS) else None


def describe_notebook(path: str, source: str) -> Program:
    """Return the program of a notebook that lies on this machine."""
    return Program(path, NOTEBOOK, source, make_absolute(path), name_is_path=True)


def _find_executed(parent: int) -> str | None:
    """Return the notebook that the parent process was told to execute, if it is one."""
    words = read_words(parent)
    stems = {Path(word).name for word in words[:4]}
    is_papermill = PAPERMILL in stems
    if not is_papermill and EXECUTORS.isdisjoint(stems):
        return None
    given = [word for word in words if word.endswith(SUFFIX) and not word.startswith("-")]
    if not given or (len(given) > 1 and not is_papermill):
        return None
    try:
        path = Path(f"/proc/{parent}/cwd").readlink() / given[0]
    except OSError:
        return None
    return str(path) if is_file(path) else None
