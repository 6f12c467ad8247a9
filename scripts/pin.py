"""Refresh the exact pins in `[tool.uv] constraint-dependencies` of pyproject.toml.

Resolves every extra and group afresh, for all supported Python versions, with `uv pip compile`,
and writes the versions found. Run it as `uv run just pin`, then run the tests.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
BLOCK = re.compile(r"constraint-dependencies = \[\n.*?^\]\n", re.DOTALL | re.MULTILINE)
MINIMUM = 'requires-python = ">=3.10"'


def resolve(project_text: str) -> list[str]:
    """Return `name==version ; marker` for everything that the project may install."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "pyproject.toml"
        copy.write_text(BLOCK.sub("", project_text), encoding="utf-8")
        command = ["uv", "pip", "compile", str(copy), "--universal", "--all-extras", "--no-header"]
        command += ["--no-annotate", "--python-version", "3.10", "--quiet"]
        command += ["--group", f"{copy}:test", "--group", f"{copy}:bench"]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    lines = [line.strip() for line in found.splitlines()]
    return [line for line in lines if "==" in line and not line.startswith(("whence", "#"))]


def main() -> None:
    """Rewrite the block in place."""
    text = PROJECT.read_text(encoding="utf-8")
    if MINIMUM not in text:
        sys.exit(f"pyproject.toml no longer says {MINIMUM}: change --python-version here too")
    pins = "".join(f'    "{line.replace(chr(34), chr(39))}",\n' for line in resolve(text))
    block = f"constraint-dependencies = [\n{pins}]\n"
    if BLOCK.search(text):
        text = BLOCK.sub(lambda _: block, text)
    else:
        text = text.replace("[tool.uv]\n", f"[tool.uv]\n{block}", 1)
    PROJECT.write_text(text, encoding="utf-8")
    print(f"{len(pins.splitlines())} versions pinned")  # noqa: T201 - a command's answer


if __name__ == "__main__":
    main()
