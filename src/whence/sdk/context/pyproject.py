"""What `pyproject.toml` states, of a program that runs from its source tree.

The nearest file above the program's own counts: `version` of `[project]`, else of `[tool.poetry]`.
A version that the build computes (`dynamic`) is not there to be read. Limit: on Python 3.10, which
has no reader for TOML, the file is read only where the package `tomli` is installed.
"""

from __future__ import annotations

import contextlib
import importlib
import re
from typing import TYPE_CHECKING, Any

from whence import semconv
from whence.sdk.context.found import Found
from whence.sdk.context.small_files import read_small_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE_NAME = SOURCE = "pyproject.toml"
MAX_BYTES = 1 << 20
READERS = ("tomllib", "tomli")
TABLES = (("project",), ("tool", "poetry"))


def read_pyproject(program_file: Path | None) -> Iterator[Found]:
    """Yield the version stated above the program's file (or folder); nothing where none is."""
    version = parse_version(_read_nearest(program_file))
    if version:
        yield Found(semconv.APP_VERSION, version, SOURCE)


def is_source_of(distribution_name: str, folder: Path | None) -> bool:
    """Tell whether a folder lies in the source tree of a distribution."""
    name = _find_text(_read_nearest(folder), "name")
    return name is not None and _normalise(name) == _normalise(distribution_name)


def _normalise(name: str) -> str:
    """Write a distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _read_nearest(path: Path | None) -> str:
    """Return the text of the nearest file above, '' where there is none."""
    texts = (read_small_text(folder / FILE_NAME, MAX_BYTES) for folder in _walk_up(path))
    return next(filter(None, texts), "")


def parse_version(text: str) -> str | None:
    """Return the version that the text of a `pyproject.toml` states.

    >>> parse_version('project = {name = "shop", version = "2.1.0"}')
    '2.1.0'
    """
    return _find_text(text, "version")


def _find_text(text: str, key: str) -> str | None:
    document = _parse(text) if text else {}
    for steps in TABLES:
        table: Any = document
        for step in steps:
            table = table.get(step) if isinstance(table, dict) else None
        value = table.get(key) if isinstance(table, dict) else None
        if isinstance(value, str) and value.strip():
            return value.strip()
    return None


def _parse(text: str) -> dict[str, Any]:
    for name in READERS:
        with contextlib.suppress(ImportError):
            reader = importlib.import_module(name)
            try:
                document: dict[str, Any] = reader.loads(text)
            except (ValueError, RecursionError):  # TOMLDecodeError is a ValueError
                return {}
            return document
    return {}


def _walk_up(program_file: Path | None) -> Iterator[Path]:
    """Yield the folders above, up to the top of the repository."""
    if program_file is None:
        return
    with contextlib.suppress(OSError, RuntimeError):
        start = program_file.resolve()
        for folder in (start, *start.parents):
            yield folder
            if (folder / ".git").exists():
                return
