"""The application that a gunicorn configuration file names (`wsgi_app = "shop.main:app"`).

Read as text, never run: only a plain string at the file's top level is seen. What a file computes
is found in memory instead (`loaded`).
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from whence.sdk.context.program.modules import find_module

MAX_BYTES = 100_000
DEFAULT_FILES = ("gunicorn.conf.py",)
OPTIONS = ("-c", "--config")
VARIABLE = "GUNICORN_CMD_ARGS"


def read_wsgi_app(options: dict[str, list[str]]) -> str | None:
    """Return the value of `wsgi_app`, from the file that the options or the variable name."""
    given = [value for name in OPTIONS for value in options.get(name, ())]
    if not given:
        import shlex

        words = shlex.split(os.environ.get(VARIABLE, ""))
        joined = [word.partition("=")[2] for word in words if word.startswith("--config=")]
        given = joined or [value for name, value in itertools.pairwise(words) if name in OPTIONS]
    for name in given or DEFAULT_FILES:
        prefix, _, rest = name.rpartition(":")
        path = find_module(rest) if prefix == "python" else Path(rest if prefix else name)
        if path is not None and (app := _read_assignment(path, "wsgi_app")):
            return app
    return None


def _read_assignment(path: Path, name: str) -> str | None:
    import ast

    try:
        text = path.read_bytes()[:MAX_BYTES]
        tree = ast.parse(text)
    except (OSError, SyntaxError, ValueError):
        return None
    value = None
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(one, ast.Name) and one.id == name for one in targets):
            value = getattr(getattr(node, "value", None), "value", None)
    return value if isinstance(value, str) else None
