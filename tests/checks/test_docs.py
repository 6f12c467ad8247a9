"""README and docs are true: their code runs, in order, in a fresh folder with a fresh store.

Blocks fenced as `python` run in one program a page; `console` blocks run the lines after `$ `,
where they call `whence`, and must succeed. A block that can't run here stands below a comment
`<!-- not run: reason -->`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from source_tree import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"(?P<why><!-- not run: [^>]+-->\s*)?^```(?P<language>python|console)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def blocks_of(page: Path) -> list[tuple[str, str]]:
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [(one["language"], one["body"]) for one in found if not one["why"]]


def run(command: list[str], folder: Path, text: str | None = None) -> None:
    env = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("WHENCE", "MLFLOW", "OTEL"))
    }
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env=env,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{command}\n{text or ''}\n{done.stdout}\n{done.stderr}"


def stop_server(folder: Path) -> None:
    try:
        pid = json.loads((folder / ".whence" / "server.json").read_text())["pid"]
        os.kill(pid, signal.SIGTERM)
    except (OSError, ValueError, KeyError):
        pass


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path):
    blocks = blocks_of(page)
    try:
        program = "\n".join(body for language, body in blocks if language == "python")
        if program:
            (tmp_path / "page.py").write_text(program, encoding="utf-8")
            run([sys.executable, "-W", "error", "page.py"], tmp_path)
        for language, body in blocks:
            if language != "console":
                continue
            for line in body.splitlines():
                if line.startswith("$ whence "):
                    run(["bash", "-c", line[2:]], tmp_path)
    finally:
        stop_server(tmp_path)


def test_every_link_to_a_file_leads_to_one():
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if (
                "://" not in target
                and not target.startswith("/")
                and not (page.parent / target).exists()
            ):
                broken.append(f"{page.name}: {target}")
    assert not broken, broken
