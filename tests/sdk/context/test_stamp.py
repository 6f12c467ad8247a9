"""`whence stamp` and what reads it, as an image does: a plain install, a copy without `.git`."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from git_repositories import git
from installs import REPORT, Install, make_install

SHA = "0123456789abcdef0123456789abcdef01234567"
COMMIT, BRANCH, URL = (f"mlflow.source.git.{name}" for name in ("commit", "branch", "repoURL"))
PYPROJECT = '[project]\nname = "shop"\nversion = "2.1.0"\n'


@pytest.fixture(scope="session")
def plain(tmp_path_factory) -> Install:
    """`pip install whence`, without extras."""
    return make_install(tmp_path_factory.mktemp("plain") / "venv")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "shop").mkdir(parents=True)
    (folder / "shop" / "main.py").write_text(REPORT)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / ".gitignore").write_text("whence-stamp.json\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "remote", "add", "origin", "https://ann:s3cr3t@example.com/team/shop.git")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


@pytest.fixture
def image(repository: Path, tmp_path: Path) -> Path:
    """What an image has: the files, but neither `.git` nor a stamp yet."""
    return shutil.copytree(repository, tmp_path / "image", ignore=shutil.ignore_patterns(".git"))


def stamp_in(install: Install, folder: Path, *words: str, **env: str) -> dict:
    done = install.run("whence", "stamp", *words, cwd=folder, **env)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "whence-stamp.json").read_text())


# --- Writing --------------------------------------------------------------------------------------


def test_the_plain_install_stamps_the_code_and_says_where_each_value_is_from(plain, repository):
    stamp = stamp_in(plain, repository)
    assert stamp["commit"] == git(repository, "rev-parse", "HEAD")
    assert stamp["branch"] == "main"
    assert stamp["url"] == "https://example.com/team/shop.git"
    assert stamp["app_version"] == "2.1.0"
    assert stamp["sources"]["commit"] == stamp["sources"]["branch"] == ".git"
    assert stamp["sources"]["app_version"] == "pyproject.toml"


def test_the_command_prints_what_it_wrote_and_where(plain, repository):
    done = plain.run("whence", "stamp", "--metadata", "team=search", cwd=repository)
    assert done.stdout.startswith(f"wrote {repository / 'whence-stamp.json'}\n  commit ")
    assert "main  (.git)" in done.stdout
    assert "search  (--metadata)" in done.stdout


def test_the_full_command_line_writes_the_same_stamp(plain, repository):
    import sys

    at = {"SOURCE_DATE_EPOCH": "1700000000"}
    given = ["--app-version", "3", "--metadata", "team=search", "--environment", "prod"]
    stamp_in(plain, repository, *given, **at)
    expected = (repository / "whence-stamp.json").read_bytes()
    full = Install(Path(sys.prefix))
    done = full.run("whence", "stamp", "--print", *given, cwd=repository, **at)
    assert done.stdout.encode() == expected


def test_both_command_lines_have_the_same_options():
    import typer.main

    from whence.cli import light, load_commands
    from whence.cli.frame import app

    load_commands()
    full = typer.main.get_command(app).commands["stamp"]
    words = {word for option in full.params for word in option.opts}
    given = light.build_parser().parse_args(["stamp"])
    assert words == {light.stamp_options.write_option(name) for name in vars(given)} - {"--command"}


def test_on_a_detached_head_the_branch_comes_from_the_ci_system(plain, repository):
    git(repository, "commit", "-q", "--allow-empty", "-m", "second")
    commit = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-q", "--detach")
    git(repository, "branch", "-q", "other")
    stamp = stamp_in(
        plain,
        repository,
        GITHUB_ACTIONS="true",
        GITHUB_SHA=commit,
        GITHUB_REF="refs/heads/feature/x",
    )
    assert (stamp["commit"], stamp["branch"]) == (commit, "feature/x")
    assert stamp["sources"]["branch"] == "env GITHUB_REF"


def test_without_git_the_options_say_it_as_build_arguments_do(plain, image):
    stamp = stamp_in(
        plain, image, "--commit", SHA.upper(), "--branch", "refs/heads/main", "--app-version", ""
    )
    assert (stamp["commit"], stamp["branch"]) == (SHA, "main")
    assert stamp["app_version"] == "2.1.0"  # an empty build argument is none
    assert stamp["sources"]["commit"] == "--commit"
    assert "url" not in stamp


def test_another_commit_takes_no_branch_from_the_repository_that_lies_around(plain, repository):
    stamp = stamp_in(plain, repository, "--commit", SHA)
    assert stamp["commit"] == SHA
    assert "branch" not in stamp
    assert "url" not in stamp
    assert "dirty" not in stamp


def test_an_environment_is_stamped_only_if_it_is_given(plain, repository):
    assert "environment" not in stamp_in(plain, repository, ENVIRONMENT="ci")
    assert stamp_in(plain, repository, "--environment", "production")["environment"] == "production"


def test_no_commit_at_all_fails_and_says_what_was_looked_at(plain, image):
    done = plain.run("whence", "stamp", cwd=image)
    assert done.returncode == 1
    assert f"no commit is found for {image}" in done.stderr
    for word in ("--commit", "env GIT_COMMIT", ".git", "--allow-empty"):
        assert word in done.stderr
    assert not (image / "whence-stamp.json").exists()


def test_allow_empty_stamps_the_rest(plain, image):
    stamp = stamp_in(plain, image, "--allow-empty")
    assert stamp["app_version"] == "2.1.0"
    assert "commit" not in stamp


def test_an_older_stamp_is_no_source_of_a_new_one(plain, image):
    (image / "whence-stamp.json").write_text(json.dumps({"commit": SHA}))
    assert plain.run("whence", "stamp", cwd=image).returncode == 1


def test_source_date_epoch_makes_two_builds_equal(plain, repository):
    stamp_in(plain, repository, SOURCE_DATE_EPOCH="1700000000")
    first = (repository / "whence-stamp.json").read_bytes()
    stamp_in(plain, repository, SOURCE_DATE_EPOCH="1700000000")
    assert (repository / "whence-stamp.json").read_bytes() == first
    assert json.loads(first)["built_at"] == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize(
    ("words", "env", "message"),
    [
        (["--commit", "HEAD"], {}, "--commit: 'HEAD' is no commit"),
        (["--metadata", "team"], {}, "--metadata: 'team' is not KEY=VALUE"),
        (["--metadata", "=x"], {}, "--metadata: '=x' is not KEY=VALUE"),
        (["--metadata", f"a={'x' * 8001}"], {}, "too long"),
        ([], {"SOURCE_DATE_EPOCH": "yesterday"}, "SOURCE_DATE_EPOCH: 'yesterday' is no time"),
        ([], {"SOURCE_DATE_EPOCH": "9" * 30}, "SOURCE_DATE_EPOCH"),
    ],
)
def test_wrong_input_is_named_and_nothing_is_written(plain, repository, words, env, message):
    done = plain.run("whence", "stamp", *words, cwd=repository, **env)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (repository / "whence-stamp.json").exists()


def test_what_ci_calls_a_branch_but_is_none_is_left_out_with_a_note(plain, image):
    done = plain.run("whence", "stamp", "--commit", SHA, "--branch", "12/merge", cwd=image)
    assert done.returncode == 0
    assert "'12/merge' is no branch" in done.stderr
    assert "branch" not in json.loads((image / "whence-stamp.json").read_text())


def test_the_file_is_readable_by_the_user_that_runs_the_image(plain, repository):
    before = os.umask(0o077)
    try:
        stamp_in(plain, repository)
    finally:
        os.umask(before)
    assert stat.S_IMODE((repository / "whence-stamp.json").stat().st_mode) == 0o644


def test_a_stamp_that_cannot_be_written_leaves_nothing_behind(plain, repository):
    before = sorted(path.name for path in repository.iterdir())
    for output in ("missing/stamp.json", "pyproject.toml/stamp.json"):
        done = plain.run("whence", "stamp", "--output", output, cwd=repository)
        assert done.returncode == 1
        assert output in done.stderr
        assert "--output" in done.stderr
    assert sorted(path.name for path in repository.iterdir()) == before


def test_a_folder_that_was_removed_is_said_so(plain, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"import os; os.rmdir({str(gone)!r}); from whence.cli import light; "
    done = plain.run("python", "-c", f"{script}print(light.main(['stamp']))", cwd=gone)
    assert done.stdout == "1\n"
    assert "the current folder is gone" in done.stderr


def test_print_writes_no_file_and_output_may_be_a_folder(plain, repository, tmp_path):
    done = plain.run("whence", "stamp", "--print", cwd=repository)
    assert json.loads(done.stdout)["branch"] == "main"
    assert not (repository / "whence-stamp.json").exists()
    plain.run("whence", "stamp", "--output", str(tmp_path), cwd=repository)
    assert json.loads((tmp_path / "whence-stamp.json").read_text())["branch"] == "main"


def test_in_a_work_tree_a_person_is_told_what_the_stamp_hides(plain, repository):
    done = plain.run("whence", "stamp", cwd=repository)
    assert "lies in a git work tree" in done.stderr
    assert plain.run("whence", "stamp", cwd=repository, CI="true").stderr == ""


def test_a_dirty_tree_is_stamped_as_dirty_and_its_stamp_makes_none_dirty(plain, repository):
    (repository / ".gitignore").write_text("")
    git(repository, "commit", "-q", "-am", "ignore nothing")
    assert stamp_in(plain, repository)["dirty"] is False
    assert stamp_in(plain, repository)["dirty"] is False  # with the first stamp lying there
    (repository / "shop" / "new.py").write_text("1\n")
    stamp = stamp_in(plain, repository)
    assert stamp["dirty"] is True
    assert len(stamp["dirty_hash"]) == 40


# --- Reading --------------------------------------------------------------------------------------


def test_an_image_without_git_knows_its_code_by_the_stamp(plain, repository, image):
    stamp_in(plain, repository, "--metadata", "team=search")
    shutil.copy(repository / "whence-stamp.json", image)
    source = f"stamp {image / 'whence-stamp.json'}"
    report = plain.report("python", "shop/main.py", cwd=image)
    assert report[COMMIT] == (git(repository, "rev-parse", "HEAD"), source)
    assert report[BRANCH] == ("main", source)
    assert report[URL] == ("https://example.com/team/shop.git", source)
    assert report["app_version"] == ("2.1.0", source)
    assert report["team"] == ("search", source)
    assert report["whence.build.time"][0].endswith("Z")


def write(path: Path, **fields: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(fields))
    return path


def test_the_stamp_nearest_to_the_program_wins_over_the_current_folders(plain, image, tmp_path):
    write(image / "whence-stamp.json", app_version="of the app")
    write(tmp_path / "elsewhere" / "whence-stamp.json", app_version="of the folder")
    program = str(image / "shop" / "main.py")
    report = plain.report("python", program, cwd=tmp_path / "elsewhere")
    assert report["app_version"][0] == "of the app"
    write(image / "shop" / "whence-stamp.json", app_version="of the package")
    report = plain.report("python", program, cwd=tmp_path / "elsewhere")
    assert report["app_version"][0] == "of the package"


def test_a_program_without_a_file_uses_the_current_folders_stamp(plain, image):
    write(image / "whence-stamp.json", app_version="3.0")
    assert plain.report("python", "-c", REPORT, cwd=image / "shop")["app_version"][0] == "3.0"


def test_whence_stamp_names_another_file_or_none(plain, image, tmp_path):
    write(image / "whence-stamp.json", app_version="beside")
    named = write(tmp_path / "named.json", app_version="named")
    run = ("python", "shop/main.py")
    report = plain.report(*run, cwd=image, WHENCE_STAMP=str(named))
    assert report["app_version"] == ("named", f"stamp {named}")
    report = plain.report(*run, cwd=image, WHENCE_STAMP="off")
    assert report["app_version"] == ("2.1.0", "pyproject.toml")


def test_looking_upwards_ends_at_the_top_of_the_repository(plain, repository, tmp_path):
    write(tmp_path / "whence-stamp.json", app_version="of somebody else")
    report = plain.report("python", "shop/main.py", cwd=repository)
    assert report["app_version"] == ("2.1.0", "pyproject.toml")


def test_looking_upwards_passes_over_folders_where_everybody_may_write(plain, image):
    shared = image / "shared"
    write(shared / "whence-stamp.json", app_version="left by anybody")
    shared.chmod(0o1777)
    write(shared / "app" / "main.py")
    (shared / "app" / "main.py").write_text(REPORT)
    report = plain.report("python", str(shared / "app" / "main.py"), cwd=shared / "app")
    assert "app_version" not in report or report["app_version"][0] != "left by anybody"


def test_a_stamp_written_by_hand_is_cleaned_like_any_other_source(plain, image):
    write(
        image / "whence-stamp.json",
        commit="HEAD",
        branch="refs/heads/main",
        url="https://ann:s3cr3t@example.com/team/shop.git?token=1",
        dirty=True,
        metadata={"build": 17, "canary": True, "empty": "", "none": None, "": "x"},
        unknown={"from": "a later version"},
    )
    report = plain.report("python", "shop/main.py", cwd=image)
    assert COMMIT not in report
    assert report[BRANCH][0] == "main"
    assert report[URL][0] == "https://example.com/team/shop.git"
    assert report["whence.git.dirty"][0] == "true"
    assert (report["build"][0], report["canary"][0]) == ("17", "true")
    assert not {"empty", "none", ""} & set(report)


HOSTILE = {
    "nothing": b"",
    "binary": b"\x00\xff\xfe" * 50,
    "a list": b"[1]",
    "a number for the commit": b'{"commit": 5}',
    "text for dirty": b'{"dirty": "yes"}',
    "an object as metadata": b'{"metadata": {"a": {"b": 1}}}',
    "half a file": b'{"commit": "0123456',
    "very deep": b'{"metadata": ' + b"[" * 20_000,
    "too large": b'{"commit": "' + b"0" * 70_000 + b'"}',
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_stamp_that_cannot_be_used_is_ignored_with_one_warning(plain, image, content):
    path = image / "whence-stamp.json"
    path.write_bytes(content)
    done = plain.run("python", "shop/main.py", cwd=image)
    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert not [key for key, (_, source) in report.items() if source.startswith("stamp")]
    assert report["app_version"] == ["2.1.0", "pyproject.toml"]
    assert done.stderr.count(f"ignores the stamp {path}") == 1
    assert "whence stamp --output" in done.stderr


def test_a_circle_of_links_a_pipe_and_a_folder_are_no_stamps(plain, image):
    path = image / "whence-stamp.json"
    path.symlink_to(path)
    assert plain.run("python", "shop/main.py", cwd=image).returncode == 0
    path.unlink()
    os.mkfifo(path)
    done = plain.run("python", "shop/main.py", cwd=image)
    assert (done.returncode, f"ignores the stamp {path}" in done.stderr) == (0, True)
    path.unlink()
    path.mkdir()
    assert plain.run("python", "shop/main.py", cwd=image).returncode == 0


def test_a_named_stamp_that_is_not_there_is_said_so(plain, image):
    done = plain.run("python", "shop/main.py", cwd=image, WHENCE_STAMP="/nowhere/stamp.json")
    assert "ignores the stamp /nowhere/stamp.json: it is not there" in done.stderr
    assert done.returncode == 0


def test_null_bytes_and_lone_surrogates_in_values_do_no_harm(plain, image):
    (image / "whence-stamp.json").write_text(r'{"branch": "a\u0000b", "metadata": {"x": "\ud83d"}}')
    assert plain.run("python", "shop/main.py", cwd=image).returncode == 0


# --- The plain install's command line -------------------------------------------------------------


def test_other_commands_say_what_to_install(plain, tmp_path):
    for words in (["server"], ["search", "x"], ["demo"]):
        done = plain.run("whence", *words, cwd=tmp_path)
        assert done.returncode == 2
        assert 'pip install "whence[server]"' in done.stderr


def test_python_m_whence_is_the_same_command(plain, repository):
    done = plain.run("python", "-m", "whence", "stamp", "--print", cwd=repository)
    assert json.loads(done.stdout)["branch"] == "main"


def test_context_works_in_the_plain_install_and_shows_the_stamp(plain, image):
    write(image / "whence-stamp.json", commit=SHA)
    done = plain.run("whence", "context", cwd=image)
    assert done.returncode == 0, done.stderr
    assert SHA in done.stdout
    assert f"stamp {image / 'whence-stamp.json'}" in done.stdout
