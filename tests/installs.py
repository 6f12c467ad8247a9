"""Virtual environments as users make them: `uv venv`, `uv pip install`, and programs run in them.

Programs run with an environment of their own (`env -i` in spirit): what the machine that runs the
tests has set must not help them.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from git_repositories import QUIET

ROOT = Path(__file__).resolve().parents[1]
# A program that prints what it would record about itself.
REPORT = """
import json, sys
from whence.sdk.context import process
entries = process.describe()
print(json.dumps({e.key: [e.value, e.source] for e in entries if e.value is not None}))
"""


@dataclass(frozen=True)
class Install:
    """A virtual environment."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def add(self, *packages: str) -> None:
        """Install packages, from the cache where it has them."""
        # A wheel of Whence in uv's cache may be older than an edit to its code.
        fresh = ["--refresh-package", "whence"]
        command = ["uv", "pip", "install", "-q", *fresh, "--python", self.python, *packages]
        subprocess.run(
            command,
            env={**os.environ, "WHENCE_SKIP_UI": "1"},
            check=True,
            capture_output=True,
            text=True,
        )

    def run(self, *words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment (`python`, `whence`, …) with nothing else set."""
        program = self.folder / "bin" / words[0]
        return subprocess.run(
            [str(program), *words[1:]],
            cwd=cwd,
            env={**QUIET, **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def report(self, *words: str, cwd: Path, **env: str) -> dict[str, tuple[str, str]]:
        """Run a program that prints `REPORT`; return key → (value, source)."""
        done = self.run(*words, cwd=cwd, **env)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
        return {key: (value, source) for key, (value, source) in found.items()}


def make_install(folder: Path, *packages: str) -> Install:
    """Make a virtual environment with Whence's plain install and further packages."""
    subprocess.run(["uv", "venv", "-q", str(folder)], check=True, capture_output=True)
    install = Install(folder)
    install.add(str(ROOT), *packages)
    return install
