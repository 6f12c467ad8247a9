"""What program this process runs: its name, its kind, where its code lies, and whose it is.

`find_program()` looks at `sys.argv`, the main module and the notebook's shell. It opens no file
and no connection. The name is what a person would type: a module (`python -m`), a console script,
the application behind an ASGI or WSGI server (`shop.main:app`), a notebook's path, else the
script's path, which `whence.sdk.context.process` makes relative to its repository.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import msgspec

NOTEBOOK, LOCAL, JOB, UNKNOWN = "NOTEBOOK", "LOCAL", "JOB", "UNKNOWN"

# Set by systems that run programs without a person in front of them.
JOB_VARIABLES = (
    "CI",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "JENKINS_URL",
    "BUILDKITE",
    "CIRCLECI",
    "TF_BUILD",
    "BITBUCKET_BUILD_NUMBER",
    "TEAMCITY_VERSION",
    "CODEBUILD_BUILD_ID",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_BATCH_JOB_ID",
    "CLOUD_RUN_JOB",
    "FUNCTIONS_WORKER_RUNTIME",
    "AIRFLOW_CTX_DAG_ID",
    "SLURM_JOB_ID",
)
FALSE_WORDS = frozenset({"", "0", "false", "no", "off"})
NOTEBOOK_VARIABLES = ("IPYNB_FILE", "JPY_SESSION_NAME")

APP_REFERENCE = re.compile(r"^([A-Za-z_][\w.]*):[A-Za-z_][\w.]*(?:\(.*\))?$")
SCRIPT_ARGUMENT = re.compile(r"^.+\.py$")
# launcher → what its argument that names the application looks like
LAUNCHERS: dict[str, re.Pattern[str]] = {
    "uvicorn": APP_REFERENCE,
    "gunicorn": APP_REFERENCE,
    "hypercorn": APP_REFERENCE,
    "daphne": APP_REFERENCE,
    "granian": APP_REFERENCE,
    "fastapi": SCRIPT_ARGUMENT,
    "streamlit": SCRIPT_ARGUMENT,
    "chainlit": SCRIPT_ARGUMENT,
}


class Program(msgspec.Struct, frozen=True):
    """The program of this process. `file` is where its code lies, if that is a file of its own."""

    name: str | None
    kind: str
    source: str  # how the name was found
    file: Path | None = None
    name_is_path: bool = False


def find_program() -> Program:
    """Look at the running process."""
    notebook = _find_notebook()
    if notebook is not None:
        return notebook
    kind = _find_kind()
    argv0 = next(iter(getattr(sys, "argv", ())), None)
    main = sys.modules.get("__main__")
    file = _file_of(main)
    module = _module_name(main)
    launcher = module.split(".")[0] if module else _script_stem(argv0)
    if launcher in LAUNCHERS and (app := _find_app(launcher)) is not None:
        name, app_file = app
        return Program(name, kind, f"{launcher}'s arguments", app_file)
    if module is not None:
        return Program(module, kind, "python -m", None if is_installed(file) else file)
    if file is not None and is_installed(file):
        return Program(_script_stem(str(file)), kind, "console script")
    if argv0 is None:  # Python embedded in another program
        return Program(None, UNKNOWN, "sys.argv")
    name = argv0 or (str(file) if file else "<console>")
    return Program(name, kind, "sys.argv", file, name_is_path=file is not None)


def _find_kind() -> str:
    for name in JOB_VARIABLES:
        if os.environ.get(name, "").strip().lower() not in FALSE_WORDS:
            return JOB
    return LOCAL


def _file_of(module: Any) -> Path | None:
    path = getattr(module, "__file__", None)
    if not isinstance(path, str) or path.startswith("<"):
        return None
    return Path(path).absolute()


def _module_name(main: Any) -> str | None:
    """Return the name given to `python -m`, without a package's `.__main__`."""
    spec = getattr(main, "__spec__", None)
    name = getattr(spec, "name", None)
    if not isinstance(name, str) or name in ("__main__", "__mp_main__"):
        return None
    return name.removesuffix(".__main__")


def _script_stem(path: str | None) -> str:
    name = Path(path or "").name
    return name.removesuffix(".exe").removesuffix(".py")


def _find_app(launcher: str) -> tuple[str, Path | None] | None:
    """Return the application that a server was told to run, and the file it lies in."""
    pattern = LAUNCHERS[launcher]
    for argument in sys.argv[1:]:
        if argument.startswith("-") or not (match := pattern.match(argument)):
            continue
        if pattern is SCRIPT_ARGUMENT:
            return argument, Path(argument).absolute()
        return argument, _file_of(sys.modules.get(match[1]))
    return None


def is_installed(file: Path | None) -> bool:
    """Tell a file that an installer put there (a console script, a package) from one's own."""
    if file is None:
        return False
    scripts = Path(sys.prefix) / ("Scripts" if os.name == "nt" else "bin")
    library = Path(os.__file__).parent
    return (
        file.parent == scripts
        or "site-packages" in file.parts
        or "dist-packages" in file.parts
        or library in file.parents
    )


def _find_notebook() -> Program | None:
    """Return the notebook, where an IPython kernel runs one; its name may stay unknown."""
    interactive = sys.modules.get("IPython")
    get_shell = getattr(interactive, "get_ipython", None)
    shell = get_shell() if callable(get_shell) else None
    if not any(cls.__name__ == "ZMQInteractiveShell" for cls in type(shell).__mro__):
        return None
    editor_path = getattr(shell, "user_ns", {}).get("__vsc_ipynb_file__")
    if isinstance(editor_path, str) and editor_path:
        return Program(
            editor_path, NOTEBOOK, "__vsc_ipynb_file__", Path(editor_path), name_is_path=True
        )
    for name in NOTEBOOK_VARIABLES:
        path = os.environ.get(name)
        if path:
            file = Path(path).absolute()
            return Program(path, NOTEBOOK, f"env {name}", file, name_is_path=True)
    return Program(None, NOTEBOOK, "IPython kernel")


def find_login() -> str | None:
    """Return the operating system's user name, or None where the process has none."""
    import getpass

    try:
        return getpass.getuser() or None
    except (KeyError, OSError, ImportError):  # a user id without an entry, as in containers
        return None
