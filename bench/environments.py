"""The environments of the peers: one for each, built when first asked for, kept for later runs.

A peer is a dependency group of `bench/peers/pyproject.toml`. Its environment lives in a folder that
is named after the group's pins and the interpreter, so a changed pin gives a new environment.
`whence` is measured in the environment that this process runs in.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUPS_FILE = Path(__file__).with_name("peers") / "pyproject.toml"
OURSELVES = "whence"
INSTALL_LIMIT_S = 900
LIST_PACKAGES = (
    "import importlib.metadata as m, json;"
    "print(json.dumps({d.name: d.version for d in m.distributions()}))"
)


class EnvironmentFailedError(Exception):
    """A peer's environment could not be built; the text says what the installer said."""


@functools.cache
def peer_pins() -> dict[str, list[str]]:
    """Return the exact requirements of every peer, by its name."""
    tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    groups: dict[str, list[str]] = tomllib.loads(GROUPS_FILE.read_text())["dependency-groups"]
    return groups


def python_of(subject: str, work: Path) -> str:
    """Return the interpreter of a subject's environment; build the environment if it is not there.

    Raises:
        EnvironmentFailedError: it could not be built.
        KeyError: no such peer.

    """
    if subject == OURSELVES:
        return sys.executable
    pins = peer_pins()[subject]
    version = ".".join(map(str, sys.version_info[:3]))
    mark = hashlib.sha256("\n".join([sys.executable, version, *pins]).encode()).hexdigest()[:12]
    folder = work / "environments" / f"{subject}-{mark}"
    python = folder / "bin" / "python"
    with _alone(folder.parent / f"{folder.name}.lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _uv("venv", "--quiet", "--python", sys.executable, str(folder))
            group = f"{GROUPS_FILE}:{subject}"
            _uv("pip", "install", "--quiet", "--python", str(python), "--group", group)
            (folder / "complete").touch()
    return str(python)


def installed(python: str) -> dict[str, str]:
    """Return the versions of all packages of an environment."""
    done = subprocess.run(
        [python, "-c", LIST_PACKAGES], capture_output=True, text=True, check=True, timeout=60
    )
    versions: dict[str, str] = json.loads(done.stdout)
    return dict(sorted(versions.items()))


def _uv(*arguments: str) -> None:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise EnvironmentFailedError("uv is not on the PATH; it installs the peers")
    # In the peers' own folder, so that our constraints do not bind them.
    try:
        subprocess.run(
            [uv, *arguments],
            cwd=GROUPS_FILE.parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=INSTALL_LIMIT_S,
        )
    except subprocess.CalledProcessError as error:
        raise EnvironmentFailedError(f"uv {' '.join(arguments)}: {error.stderr[-2000:]}") from None
    except subprocess.TimeoutExpired as error:
        raise EnvironmentFailedError(str(error)) from None


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep two runs from building one environment at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
