"""The installed distribution that the program belongs to: its version, and where it came from.

Found by the console script's entry point, by the module that the program was started by, or,
for code outside of `site-packages`, by the editable install whose folder holds it. Installed
distributions are read from their `.dist-info` folders themselves: among 150 that takes 1 to 2 ms,
6 to 9 ms where the distribution has another name than its package or script, 20 ms where none
fits; `importlib.metadata` takes 30 ms to load and 110 ms to map them all.

Limits: `.egg-info` and zip files are not read; `TOOLS` are never the application. Of an install
from a version control address, the revision asked for is taken for a branch unless it looks like a
commit or a version.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from whence import semconv
from whence.sdk.context.found import Found
from whence.sdk.context.small_files import read_small_text
from whence.sdk.context.variables import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from whence.sdk.context.program import Program

METADATA, DIRECT_URL = "package metadata", "direct_url.json"
INFO_SUFFIX = ".dist-info"
MAX_FOLDER_ENTRIES = 20_000  # of one folder on `sys.path`
MAX_FILE_BYTES = 16 << 20  # the list of files of the largest distributions is about 2 MB

# What runs or serves applications, and so is not one: its version would say nothing.
TOOLS = frozenset(
    {
        *("uvicorn", "gunicorn", "hypercorn", "daphne", "granian", "fastapi", "fastapi_cli"),
        *("flask", "django", "starlette", "waitress", "uwsgi", "mod_wsgi", "mangum", "quart"),
        *("celery", "rq", "dramatiq", "huey", "apache_airflow", "prefect", "dagster", "luigi"),
        *("ray", "dask", "distributed", "pyspark", "torch", "accelerate", "mlflow", "kedro"),
        *("streamlit", "chainlit", "gradio", "marimo", "panel", "bokeh", "dash", "litestar"),
        *("ipython", "ipykernel", "jupyter", "jupyter_core", "jupyter_server", "jupyterlab"),
        *("notebook", "nbconvert", "nbclient", "papermill", "debugpy", "coverage", "scalene"),
        *("pytest", "pytest_xdist", "tox", "nox", "hatch", "pdm", "poetry", "uv", "pip", "pipx"),
        *(
            "invoke",
            "honcho",
            "supervisor",
            "watchfiles",
            "watchdog",
            "pex",
            "shiv",
            "awslambdaric",
        ),
        *("functions_framework", "azure_functions_worker", "opentelemetry_instrumentation"),
        *("ddtrace", "newrelic", "sentry_sdk", "openllmetry", "memray", "py_spy", "whence"),
    }
)

LOOKS_LIKE_NO_BRANCH = re.compile(r"^(?:[0-9a-f]{7,64}|\D{0,10}\d+(?:\.\d+)+.*|v?\d+)$")
SECTION = re.compile(r"^\[\s*(console_scripts|gui_scripts)\s*\]$")


class Distribution(msgspec.Struct, frozen=True):
    """An installed distribution.

    `folder` is where the code of an editable install lies, `source` the folder that another one
    was installed from.

    `commit`, `branch` and `url` are known of an install from a version control address.
    """

    name: str
    version: str | None = None
    commit: str | None = None
    branch: str | None = None
    url: str | None = None
    folder: Path | None = None
    source: Path | None = None


def read_distribution(program: Program) -> Iterator[Found]:
    """Yield version, commit, branch and address of the program's distribution, where it has one."""
    found = find_distribution(program)
    if found is not None:
        yield from describe_distribution(found)


def describe_distribution(found: Distribution) -> Iterator[Found]:
    """Yield what is known of a distribution."""
    said = (
        (semconv.APP_VERSION, found.version, METADATA),
        (semconv.GIT_COMMIT, found.commit, DIRECT_URL),
        (semconv.GIT_BRANCH, found.branch, DIRECT_URL),
        (semconv.GIT_REPO_URL, found.url, DIRECT_URL),
    )
    for key, value, source in said:
        if value:
            yield Found(key, value, source)


def find_distribution(program: Program) -> Distribution | None:
    """Return the distribution that a program belongs to; None where it belongs to none."""
    infos = list(list_infos())
    info = None
    if program.script:
        info = _find_by_script(infos, program.script, program.module)
    if info is None and program.file is not None:
        info = _find_by_folder(infos, program.file)
    elif info is None and program.module:
        info = _find_by_module(infos, program.module)
    if info is None or _name_of(info) in TOOLS:
        return None
    return describe_info(info)


def list_infos() -> Iterator[Path]:
    """Yield the folder of each installed distribution; the first of a name hides the others."""
    seen: set[str] = set()
    for entry in dict.fromkeys(sys.path):
        with contextlib.suppress(OSError, ValueError), os.scandir(entry or ".") as files:
            for file in islice(files, MAX_FOLDER_ENTRIES):
                if file.name.endswith(INFO_SUFFIX):
                    info = Path(file.path)
                    if (name := _name_of(info)) not in seen:
                        seen.add(name)
                        yield info


def _name_of(info: Path) -> str:
    return _normalise(info.name.removesuffix(INFO_SUFFIX).rpartition("-")[0])


def _normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()


def _by_likelihood(infos: list[Path], *names: str) -> list[Path]:
    """Put the distributions that are called so first."""
    likely = {_normalise(name) for name in names}
    return sorted(infos, key=lambda info: _name_of(info) not in likely)


def _find_by_script(infos: list[Path], script: str, module: str | None) -> Path | None:
    for info in _by_likelihood(infos, script, (module or script).partition(".")[0]):
        for name, target in _read_scripts(info):
            if name == script and (module is None or target == module):
                return info
    return None


def _read_scripts(info: Path) -> Iterator[tuple[str, str]]:
    """Yield the scripts that a distribution installs: name and module."""
    in_scripts = False
    for line in _read(info, "entry_points.txt").splitlines():
        text = line.strip()
        if text.startswith("["):
            in_scripts = bool(SECTION.match(text))
        elif in_scripts and "=" in text:
            name, _, target = text.partition("=")
            yield name.strip(), target.partition(":")[0].strip()


def _find_by_module(infos: list[Path], module: str) -> Path | None:
    top = module.partition(".")[0]
    path = module.replace(".", "/")
    starts = (f"\n{path}.", f"\n{path}/")  # a module or a compiled one; a package
    for info in _by_likelihood(infos, top, module):
        listed = _read(info, "top_level.txt").split()
        if listed and top not in listed:
            continue
        files = "\n" + _read(info, "RECORD")
        if any(start in files for start in starts):
            return info
    return None


def _find_by_folder(infos: list[Path], file: Path) -> Path | None:
    """Return the editable install whose folder holds the file, the innermost one."""
    places = {file, *file.parents}
    with contextlib.suppress(OSError, RuntimeError):
        places |= {file.resolve(), *file.resolve().parents}
    holding = [
        (len(folder.parts), info)
        for info in infos
        if (folder := _editable_folder(_read_origin(info))) and folder in places
    ]
    return max(holding)[1] if holding else None


def describe_info(info: Path) -> Distribution:
    """Return what a `.dist-info` folder says."""
    name, version = _name_of(info), None
    for line in _read(info, "METADATA").splitlines():
        header, _, value = line.partition(":")
        if not line.strip():
            break
        if header.lower() == "version":
            version = value.strip() or None
        elif header.lower() == "name":
            name = value.strip() or name
    origin = _read_origin(info)
    commit, branch, url = _read_revision(origin)
    editable = _editable_folder(origin)
    source = _source_folder(origin) if editable is None else None
    return Distribution(name, version, commit, branch, url, editable, source)


def _read_origin(info: Path) -> dict[str, Any]:
    text = _read(info, "direct_url.json")
    if not text:
        return {}
    try:
        origin = msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, RecursionError):
        return {}
    return origin if isinstance(origin, dict) else {}


def _read_revision(origin: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    """Return commit, branch and address of an install from version control."""
    vcs, url = origin.get("vcs_info"), origin.get("url")
    if not isinstance(vcs, dict) or vcs.get("vcs") != "git":
        return None, None, None
    commit, asked = (_text(vcs.get(key)) for key in ("commit_id", "requested_revision"))
    branch = "" if LOOKS_LIKE_NO_BRANCH.match(asked) else clean(semconv.GIT_BRANCH, asked)
    return (
        clean(semconv.GIT_COMMIT, commit) or None,
        branch or None,
        clean(semconv.GIT_REPO_URL, _text(url)) or None,
    )


def _editable_folder(origin: dict[str, Any]) -> Path | None:
    info = origin.get("dir_info")
    is_editable = isinstance(info, dict) and info.get("editable") is True
    return _source_folder(origin) if is_editable else None


def _source_folder(origin: dict[str, Any]) -> Path | None:
    """Return the folder that was installed, if it was one."""
    url = _text(origin.get("url"))
    if not isinstance(origin.get("dir_info"), dict) or not url.startswith("file://"):
        return None
    from urllib.parse import unquote  # urllib.request, which knows this too, loads a web client

    path = unquote(url.removeprefix("file://"))
    return Path(path.lstrip("/") if os.name == "nt" else path)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _read(info: Path, name: str) -> str:
    return read_small_text(info / name, MAX_FILE_BYTES)
