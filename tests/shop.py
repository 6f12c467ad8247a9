"""A small program in a repository of its own, run as processes at several of its versions."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from git_repositories import git, make_repository
from serving import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

EXPERIMENT = "shop"
PROGRAM = """\
import json, sys
from pathlib import Path
import whence

config = json.loads(Path(__file__).with_name("config.json").read_text())
prompt = Path(__file__).with_name("prompt.txt").read_text()
whence.version(
    prompts={"system": prompt},
    models={"chat": config["model"]},
    parameters={"temperature": config["temperature"]},
)
for number in range(int(sys.argv[1])):
    with whence.start_span("answer", span_type="AGENT") as root:
        with whence.start_span("chat", span_type="CHAT_MODEL") as chat:
            chat.set_attributes({
                "gen_ai.request.model": config["model"],
                "gen_ai.response.model": config["model"] + "-2026-01-15",
            })
        for tool in config["tools"]:
            with whence.start_span(tool, span_type="TOOL"):
                pass
    whence.log_feedback(trace_id=root.trace_id, name="helpful", value=number % 2 == 0)
whence.flush()
"""
ANN = ("Ann", "2026-01-10T09:00:00+0000")
BO = ("Bo", "2026-01-11T09:00:00+0000")


def make_shop(folder: Path) -> list[str]:
    """Make the repository; return its three commits, the oldest first."""
    make_repository(folder, commits=0)
    git(folder, "remote", "add", "origin", "https://git.example.com/shop.git")
    first = change(
        folder,
        "Answer questions",
        ANN,
        model="gpt-4o",
        temperature=0.2,
        tools=["search"],
        prompt="You answer for a shop.\nBe brief.\n",
    )
    second = change(
        folder,
        "Cite the sources",
        BO,
        model="gpt-4o",
        temperature=0.2,
        tools=["search", "cite"],
        prompt="You answer for a shop.\nBe brief.\nCite what you found.\n",
    )
    third = change(
        folder,
        "Ask the newer model",
        ANN,
        model="gpt-4.1",
        temperature=0.1,
        tools=["search", "cite"],
        prompt="You answer for a shop.\nBe brief.\nCite what you found.\n",
    )
    return [first, second, third]


def change(folder: Path, subject: str, by: tuple[str, str], *, prompt: str, **config) -> str:
    """Commit a state of the program; equal states have equal commits."""
    (folder / "shop.py").write_text(PROGRAM)
    (folder / "prompt.txt").write_text(prompt)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    name, date = by
    environ = {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_DATE": date,
        "GIT_COMMITTER_DATE": date,
    }
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", subject, environ=environ)
    return git(folder, "rev-parse", "HEAD")


def install(folder: Path, **versions: str) -> Path:
    """Make a folder for PYTHONPATH in which these distributions are installed."""
    for name, version in versions.items():
        info = folder / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    return folder


def run_shop(folder: Path, url: str, app_version: str | None, traces: int = 4, **env: str) -> None:
    """Run the program as it lies there."""
    named = {} if app_version is None else {"WHENCE_APP_VERSION": app_version}
    subprocess.run(
        [sys.executable, "shop.py", str(traces)],
        cwd=folder,
        env=clean_environment(WHENCE_URL=url, **{"WHENCE_EXPERIMENT": EXPERIMENT, **named, **env}),
        check=True,
        timeout=60,
    )
