"""Which installed distribution a program belongs to: real installs of real projects."""

from __future__ import annotations

import doctest
import json
import sys
import time
from pathlib import Path

import pytest

from git_repositories import git
from installs import REPORT, Install, make_install
from whence.sdk.context import distribution, pyproject
from whence.sdk.context.distribution import Distribution, find_distribution, read_distribution
from whence.sdk.context.program import LOCAL, Program
from whence.sdk.context.pyproject import parse_version, read_pyproject

COMMIT, BRANCH, URL = (f"mlflow.source.git.{name}" for name in ("commit", "branch", "repoURL"))
MANY_MS = 250  # for the 150 distributions of a development environment; measured: 1 to 10


def make_project(folder: Path, name: str, package: str, version: str = "2.1.0") -> Path:
    """A project with a package that reports, its console script `<package>-report`, and an app."""
    (folder / "src" / package).mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        f'[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        f'[project]\nname = "{name}"\nversion = "{version}"\n'
        f'[project.scripts]\n{package}-report = "{package}.report:main"\n'
        f'[tool.hatch.build.targets.wheel]\npackages = ["src/{package}"]\n'
    )
    body = "\n".join(f"    {line}" for line in REPORT.strip().splitlines())
    source = folder / "src" / package
    (source / "__init__.py").touch()
    (source / "report.py").write_text(f"def main():\n{body}\nif __name__ == '__main__': main()\n")
    (source / "__main__.py").write_text(f"from {package}.report import main\nmain()\n")
    return folder


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Install:
    """An environment with `shop`, and with `acme-storefront`, whose package is called `counter`."""
    folder = tmp_path_factory.mktemp("distribution")
    make_project(folder / "shop", "shop", "shop")
    make_project(folder / "storefront", "Acme.Store-front", "counter", "7.0")
    return make_install(folder / "venv", str(folder / "shop"), str(folder / "storefront"))


@pytest.fixture(scope="session")
def repository(tmp_path_factory) -> Path:
    folder = make_project(tmp_path_factory.mktemp("source") / "shop", "shop", "shop", "3.0")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "remote", "add", "origin", "https://example.com/team/shop.git")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


@pytest.fixture(scope="session")
def from_git(tmp_path_factory, repository) -> Install:
    """An environment with `shop` installed from a version control address."""
    return make_install(tmp_path_factory.mktemp("vcs") / "venv", f"git+file://{repository}@main")


@pytest.fixture(scope="session")
def editable(tmp_path_factory, repository) -> Install:
    """An environment with `shop` installed so that its source tree runs."""
    return make_install(tmp_path_factory.mktemp("editable") / "venv", "-e", str(repository))


METADATA = ("2.1.0", "package metadata")


def test_a_console_script_has_the_version_of_its_distribution(installed, tmp_path):
    assert installed.report("shop-report", cwd=tmp_path)["app_version"] == METADATA


def test_a_module_has_the_version_of_its_distribution(installed, tmp_path):
    for words in (["-m", "shop"], ["-m", "shop.report"]):
        assert installed.report("python", *words, cwd=tmp_path)["app_version"] == METADATA


def test_a_distribution_may_have_another_name_than_its_package(installed, tmp_path):
    expected = ("7.0", "package metadata")
    assert installed.report("python", "-m", "counter", cwd=tmp_path)["app_version"] == expected
    assert installed.report("counter-report", cwd=tmp_path)["app_version"] == expected


def test_a_package_of_ones_own_is_not_the_installed_one_of_the_same_name(installed, tmp_path):
    make_project(tmp_path, "mine", "shop", "0.1")
    report = installed.report("python", "-m", "shop", cwd=tmp_path / "src")
    assert report["app_version"] == ("0.1", "pyproject.toml")


def test_a_script_belongs_to_no_distribution(installed, tmp_path):
    (tmp_path / "script.py").write_text(f"import shop\n{REPORT}")
    assert "app_version" not in installed.report("python", "script.py", cwd=tmp_path)


def test_code_installed_from_version_control_knows_its_commit(from_git, repository, tmp_path):
    report = from_git.report("shop-report", cwd=tmp_path)
    assert report["app_version"] == ("3.0", "package metadata")
    assert report[COMMIT] == (git(repository, "rev-parse", "HEAD"), "direct_url.json")
    assert report[BRANCH] == ("main", "direct_url.json")
    assert report[URL] == (f"file://{repository}", "direct_url.json")


def test_what_git_says_of_the_current_folder_does_not_mix_with_it(from_git, tmp_path):
    git(tmp_path, "init", "-q", "-b", "other")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "other")
    report = from_git.report("python", "-m", "shop", cwd=tmp_path)
    assert report[COMMIT][1] == report[BRANCH][1] == "direct_url.json"
    assert report[BRANCH][0] == "main"


def test_an_installed_program_takes_no_commit_of_the_repository_it_is_started_in(
    installed, repository, tmp_path
):
    git(tmp_path, "init", "-q", "-b", "other")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "other")
    for words in (["shop-report"], ["python", "-m", "shop"]):
        assert COMMIT not in installed.report(*words, cwd=tmp_path)
    git(installed.folder.parent, "init", "-q", "-b", "workspace")  # above the project's folder
    git(installed.folder.parent, "commit", "-q", "--allow-empty", "-m", "workspace")
    report = installed.report("shop-report", cwd=installed.folder.parent)
    assert report[BRANCH] == ("workspace", ".git (current folder)")
    own = installed.report("shop-report", cwd=repository)  # as a CI job does after `pip install .`
    assert own[COMMIT] == (git(repository, "rev-parse", "HEAD"), ".git (current folder)")
    assert COMMIT not in installed.report("counter-report", cwd=repository)


def test_an_editable_install_has_its_version_and_its_own_repository(editable, repository, tmp_path):
    for words in (["shop-report"], ["python", "-m", "shop"]):
        report = editable.report(*words, cwd=tmp_path)
        assert report["app_version"] == ("3.0", "package metadata")
        assert report[COMMIT] == (git(repository, "rev-parse", "HEAD"), ".git")


def test_a_script_in_the_folder_of_an_editable_install_is_of_its_version(
    editable, repository, tmp_path
):
    script = repository / "scripts" / "nightly.py"
    script.parent.mkdir(exist_ok=True)
    script.write_text(REPORT)
    report = editable.report("python", str(script), cwd=tmp_path)
    assert report["app_version"] == ("3.0", "package metadata")


# --- In this process ------------------------------------------------------------------------------


def program(**fields: object) -> Program:
    return Program("x", LOCAL, "test", **fields)


@pytest.mark.parametrize("tool", ["pytest", "uvicorn", "gunicorn", "celery", "flask", "whence"])
def test_what_runs_applications_is_not_the_application(tool):
    assert find_distribution(program(module=tool, script=tool)) is None
    assert list(read_distribution(program(module=tool))) == []


def test_it_takes_milliseconds_also_where_no_name_fits():
    started = time.perf_counter()
    find_distribution(program(module="no_such_module_anywhere"))
    find_distribution(program(script="no-such-script"))
    find_distribution(program(file=Path(__file__)))
    assert (time.perf_counter() - started) * 1e3 < 3 * MANY_MS


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of installed distributions; write files into `shop-1.0.dist-info`."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), "", "/nowhere", "\0"])
    info = tmp_path / "shop-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: shop\nVersion: 1.0\n\nVersion: 9\n"
    )
    (info / "RECORD").write_text("shop/__init__.py,sha256=x,1\nshop/cli/__init__.py,,\n")

    def find(module: str = "shop", **files: str | bytes) -> Distribution | None:
        for name, content in files.items():
            path = info / {"origin": "direct_url.json", "metadata": "METADATA"}[name]
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return find_distribution(program(module=module))

    return find


def vcs(**info: object) -> str:
    return json.dumps({"url": "https://ann:s3cr3t@example.com/t/shop", "vcs_info": info})


def test_the_version_is_the_headers_not_the_descriptions(site):
    assert site() == Distribution("shop", "1.0")
    assert site(module="shop.cli") == Distribution("shop", "1.0")
    assert site(module="shop.other") is None


@pytest.mark.parametrize(
    ("revision", "branch"),
    [
        ("main", "main"),
        ("feature/login", "feature/login"),
        ("refs/heads/main", "main"),
        ("v1.2.3", None),
        ("release-2.0", None),
        ("2026", None),
        ("0123456", None),
        ("refs/tags/stable", None),
        ("refs/pull/3/head", None),
        (5, None),
        (None, None),
    ],
)
def test_the_revision_asked_for_is_a_branch_unless_it_looks_like_something_else(
    site, revision, branch
):
    found = site(origin=vcs(vcs="git", commit_id="a" * 40, requested_revision=revision))
    assert found.branch == branch
    assert found.commit == "a" * 40
    assert found.url == "https://example.com/t/shop"


@pytest.mark.parametrize(
    "origin",
    [
        b"",
        b"\x00\xff",
        b"[" * 10_000,
        b"[]",
        b"5",
        b'{"url": 5, "vcs_info": {"vcs": "git"}}',
        b'{"vcs_info": [], "dir_info": "editable"}',
        b'{"url": "https://x", "dir_info": {"editable": true}}',
        vcs(vcs="hg", commit_id="a" * 40),
        vcs(vcs="git", commit_id="HEAD", requested_revision=["main"]),
    ],
)
def test_a_malformed_origin_leaves_the_version(site, origin):
    found = site(origin=origin)
    assert (found.version, found.commit, found.branch, found.folder) == ("1.0", None, None, None)


def test_malformed_metadata_leaves_the_version_unknown(site):
    assert site(metadata=b"\x00\xff\xfe").version is None
    assert list(read_distribution(program(module="shop"))) == []


# --- pyproject.toml -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('[project]\nversion = "1.2"', "1.2"),
        ('[tool.poetry]\nversion = "1.2"', "1.2"),
        ('[project]\nname = "a"\n[tool.poetry]\nversion = "1.2"', "1.2"),
        ('[project]\ndynamic = ["version"]', None),
        ('[tool.other]\nversion = "1.2"', None),
        ("[project]\nversion = 5", None),
        ("project = 5", None),
        ("[project\nversion", None),
        ('[project]\nversion = " "', None),
        ("a = " + "[" * 5000, None),
        ("\x00", None),
    ],
)
def test_the_version_is_read_where_it_is_stated(text, version):
    assert parse_version(text) == version


def test_the_nearest_file_counts_up_to_the_top_of_the_repository(tmp_path):
    top = tmp_path / "repository"
    inner = top / "services" / "shop"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "9"')
    git(top, "init", "-q")
    assert list(read_pyproject(inner / "main.py")) == []
    (top / "pyproject.toml").write_text('[project]\nversion = "1"')
    assert [one.value for one in read_pyproject(inner / "main.py")] == ["1"]
    assert [one.value for one in read_pyproject(inner)] == ["1"]
    (inner / "pyproject.toml").write_text("[tool.ruff]\n")
    assert list(read_pyproject(inner / "main.py")) == []
    assert list(read_pyproject(None)) == []


def test_a_circle_of_links_and_a_folder_are_no_projects(tmp_path):
    (tmp_path / "pyproject.toml").symlink_to(tmp_path / "pyproject.toml")
    assert list(read_pyproject(tmp_path / "main.py")) == []
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert list(read_pyproject(tmp_path / "loop" / "main.py")) == []


def test_the_examples_in_the_docstrings_hold():
    for module in (distribution, pyproject):
        assert doctest.testmod(module).failed == 0
