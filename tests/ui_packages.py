"""The packages that the UI's checks need, installed once, whichever test comes first."""

from __future__ import annotations

import fcntl
import tempfile
from pathlib import Path

import hatch_build

UI = Path(__file__).resolve().parents[1] / "ui"


def install_ui_packages() -> Path:
    """Install everything that the lock file lists, one process at a time; return `ui/`."""
    with (Path(tempfile.gettempdir()) / "whence-ui-packages.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        hatch_build.install_packages(UI, everything=True)
    return UI
