"""Write what `whence compare` prints about the demo into README.md and docs/compare.md.

Runs `whence demo` in a temporary store and every `$ whence compare` of these pages against it: the
`text` block behind a command becomes its output (README: up to the first reason). Figures change
with every run; a test compares all else.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "compare.md")
SHORT = "README.md"
SHOWN = re.compile(
    r"(```console\n\$ (?P<command>whence compare [^\n]+)\n```\n\n```text\n)(?P<output>.*?)(```)",
    re.DOTALL,
)


def record_demo(store: Path) -> None:
    """Run the demo into a store."""
    options = ["--store", str(store), "--port", "0", "--exit"]
    command = [sys.executable, "-m", "whence", "demo", *options]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own command


def run_command(command: str, store: Path) -> str:
    """Return what a command of a page prints about a store."""
    words = [word.strip('"') for word in command.split()[1:]]
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "whence", *words, "--url", str(store)],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode > 1:
        raise RuntimeError(done.stderr)
    return done.stdout


def shorten(output: str) -> str:
    """Return an output up to its first reason."""
    lines = output.splitlines(keepends=True)
    first = next((n for n, line in enumerate(lines) if line.startswith("why:")), len(lines) - 1)
    return "".join(lines[: first + 1])


def main() -> None:
    """Renew both pages."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        record_demo(store)
        for page in PAGES:
            text = page.read_text(encoding="utf-8")

            def renew(found: re.Match[str], page: Path = page) -> str:
                output = run_command(found["command"], store)
                return found[1] + (shorten(output) if page.name == SHORT else output) + found[4]

            page.write_text(SHOWN.sub(renew, text), encoding="utf-8")


if __name__ == "__main__":
    main()
