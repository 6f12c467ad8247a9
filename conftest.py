"""The test command: `--slow` runs the second recipe as well; programs start from bytecode.

Tests start hundreds of Python processes. Where the environment forbids them to write bytecode, each
would compile all it imports, 1.4 s for a server: so what they share is compiled once, beforehand,
into pytest's cache. The programs that tests write are not: two of one second may look the same.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest  # noqa: TC002 - the hooks are read by it

SHARED = (
    "asgiref.wsgi",
    "bench.__main__",
    "chdb",
    "django.core.handlers.wsgi",
    "fastapi",
    "flask",
    "gunicorn.app.base",
    "ipykernel.kernelapp",
    "nbclient",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk.trace.export",
    "pandas",
    "pyarrow",
    "pytest",
    "whence.cli.commands",
    "whence.server.run",
    "whence.tracing",
)

# One that can't be imported here fails the tests that need it, and no others.
_IMPORT = """\
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
"""


def pytest_configure(config: pytest.Config) -> None:
    """Compile what is shared, once for all workers."""
    if sys.dont_write_bytecode and not hasattr(config, "workerinput"):
        folder = str(config.rootpath / ".pytest_cache" / "bytecode")
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        writing = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
        subprocess.run(  # noqa: S603 - the names above
            [sys.executable, "-c", _IMPORT, *SHARED],
            env=writing,
            check=True,
            cwd=config.rootpath,
        )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--slow`."""
    parser.addoption("--slow", action="store_true", help="run the slow tier as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow tier out unless it is asked for."""
    if config.getoption("--slow"):
        return
    slow = [item for item in items if "slow" in item.keywords]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if "slow" not in item.keywords]
