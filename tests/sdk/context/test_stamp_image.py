"""examples/image: its Dockerfile's instructions, carried out without a container engine.

A stage is a folder that stands for its file system, `RUN` and `CMD` run in it with nothing but the
build arguments set, and pip's part is a virtual environment with Whence's plain install. What the
simulation knows of a Dockerfile is what this one uses; anything else fails the test.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from fnmatch import fnmatch
from pathlib import Path

import pytest

from git_repositories import git
from installs import REPORT, ROOT, Install, make_install

EXAMPLE = ROOT / "examples" / "image"


@pytest.fixture(scope="session")
def plain(tmp_path_factory) -> Install:
    return make_install(tmp_path_factory.mktemp("image") / "venv")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with the example's files; its program reports what it would record."""
    folder = shutil.copytree(EXAMPLE, tmp_path / "project")
    (folder / "app.py").write_text(REPORT)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


class Build:
    """Carries out a Dockerfile; `root` and `workdir` are those of the last stage."""

    def __init__(self, context: Path, scratch: Path, install: Install, **arguments: str) -> None:
        self.context, self.scratch, self.install = context, scratch, install
        self.arguments = arguments
        self.stages: dict[str, Path] = {}
        scratch.mkdir()
        self.root = self.workdir = scratch
        self.declared: dict[str, str] = {}
        self.command: list[str] = []
        for instruction, rest in self._read():
            getattr(self, f"do_{instruction.lower()}")(rest)

    def _read(self) -> list[tuple[str, str]]:
        text = (self.context / "Dockerfile").read_text()
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
        return [tuple(line.split(" ", 1)) for line in joined.splitlines()]

    def do_from(self, rest: str) -> None:
        name = rest.split(" AS ")[1] if " AS " in rest else "final"
        self.root = self.workdir = self.stages[name] = self.scratch / name
        self.root.mkdir()
        self.declared = {}

    def do_workdir(self, rest: str) -> None:
        self.workdir = self.root / rest.lstrip("/")
        self.workdir.mkdir(parents=True)

    def do_arg(self, rest: str) -> None:
        if rest in self.arguments:
            self.declared[rest] = self.arguments[rest]

    def do_copy(self, rest: str) -> None:
        words = rest.split()
        place = self.context
        if words[0].startswith("--from="):
            place = self.stages[words.pop(0).removeprefix("--from=")]
        *sources, target = words
        ignored = (self.context / ".dockerignore").read_text().split()
        for source in sources:
            path = place / source.lstrip("/")
            if path.is_dir():
                shutil.copytree(
                    path, self.workdir / target, dirs_exist_ok=True,
                    ignore=lambda _, names: [n for n in names if any(fnmatch(n, i) for i in ignored)],
                )  # fmt: skip
            else:
                shutil.copy(path, self.workdir / target)

    def do_run(self, rest: str) -> None:
        if rest == "pip install --no-cache-dir whence":
            return
        done = self.install.run(*shlex.split(rest), cwd=self.workdir, **self.declared)
        assert done.returncode == 0, done.stderr

    def do_user(self, rest: str) -> None:
        assert rest == "nobody"

    def do_cmd(self, rest: str) -> None:
        self.command = json.loads(rest)

    def run_image(self) -> dict[str, tuple[str, str]]:
        return self.install.report(*self.command, cwd=self.workdir)


COMMIT, BRANCH = "mlflow.source.git.commit", "mlflow.source.git.branch"


def test_the_image_knows_its_code_and_has_no_git(plain, project, tmp_path):
    build = Build(project, tmp_path / "stages", plain)
    assert sorted(path.name for path in build.workdir.iterdir()) == ["app.py", "whence-stamp.json"]
    report = build.run_image()
    source = f"stamp {build.workdir / 'whence-stamp.json'}"
    assert report[COMMIT] == (git(project, "rev-parse", "HEAD"), source)
    assert report[BRANCH] == ("main", source)
    assert report["app_version"] == ("2.1.0", source)
    assert report["whence.git.dirty"] == ("false", source)


def test_without_git_in_the_context_build_arguments_say_it(plain, project, tmp_path):
    commit = git(project, "rev-parse", "HEAD")
    with (project / ".dockerignore").open("a") as file:
        file.write(".git\n")
    build = Build(project, tmp_path / "stages", plain, GIT_COMMIT=commit, GIT_BRANCH="main")
    report = build.run_image()
    assert (report[COMMIT][0], report[BRANCH][0]) == (commit, "main")
    assert report[COMMIT][1].startswith("stamp ")


def test_without_either_the_build_fails_instead_of_making_an_image_of_unknown_code(
    plain, project, tmp_path
):
    (project / ".dockerignore").write_text(".git\n")
    with pytest.raises(AssertionError, match="no commit is found"):
        Build(project, tmp_path / "stages", plain)


def test_what_the_examples_program_sends_names_the_commit_and_how_it_is_known(plain, tmp_path):
    shutil.copy(EXAMPLE / "app.py", tmp_path)
    commit = "0123456789abcdef0123456789abcdef01234567"
    plain.run("whence", "stamp", "--commit", commit, cwd=tmp_path)
    done = plain.run("python", "app.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "WHICH CODE DID THIS IMAGE COME FROM?\n")
    sent = "".join(path.read_text() for path in (tmp_path / ".whence" / "spool").rglob("*.*"))
    requests = [json.loads(line) for line in sent.splitlines() if line.startswith("{")]
    attributes = {
        one["key"]: one["value"].get("stringValue")
        for request in requests
        for resource in request["resourceSpans"]
        for one in resource["resource"]["attributes"]
    }
    assert attributes["vcs.ref.head.revision"] == commit
    provenance = json.loads(attributes["whence.provenance"])
    assert provenance[COMMIT] == f"stamp {tmp_path / 'whence-stamp.json'}"
