"""The text of a dirty work tree's changes, under the hash of the tree."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from git_repositories import git, run_git
from whence.sdk import diagnostics
from whence.sdk.context.work_tree import diff
from whence.sdk.context.work_tree.diff import build_document, read_diff
from whence.sdk.context.work_tree.state import Limits, TreeState, measure_tree
from work_trees import clone, commit_all, make_work_tree, write


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_work_tree(tmp_path / "app")


@pytest.fixture(autouse=True)
def fresh_diagnostics():
    diagnostics.reset()
    yield
    diagnostics.reset()


def text_of(folder: Path) -> str:
    state = measure_tree(folder)
    document = build_document(folder, state)
    assert document is not None, diagnostics.counts
    assert (document.kind, document.hash) == ("diff", state.hash)
    return document.text


def test_a_changed_file_is_shown_as_git_shows_it(repository: Path):
    write(repository, {"app.py": "print('hello')\nprint('bye')\n"})
    assert text_of(repository) == (
        "diff --git a/app.py b/app.py\n"
        "index 11b15b1..1bfd3b3 100644\n"
        "--- a/app.py\n"
        "+++ b/app.py\n"
        "@@ -1 +1,2 @@\n"
        " print('hello')\n"
        "+print('bye')\n"
    ).replace("11b15b1..1bfd3b3", git(repository, "diff").split("\n")[1].split()[1])


def test_a_new_file_is_shown_as_an_addition(repository: Path):
    write(repository, {"lib/new.py": "one = 1\ntwo = 2\n"})
    assert text_of(repository) == (
        "diff --git a/lib/new.py b/lib/new.py\n"
        "new file mode 100644\n"
        "--- /dev/null\n"
        "+++ b/lib/new.py\n"
        "@@ -0,0 +1,2 @@\n"
        "+one = 1\n"
        "+two = 2\n"
    )


def test_the_text_can_be_applied_to_a_clean_clone(repository: Path, tmp_path: Path):
    write(repository, {"moved.py": "a\n" * 50, "image.py": "x\n"})
    commit_all(repository)
    copy = clone(repository, tmp_path / "copy")
    write(
        repository,
        {"app.py": "no end", "new.py": "first\nlast", "two words.py": "1\n", "empty.py": ""},
    )
    (repository / "lib" / "tools.py").unlink()
    (repository / "image.py").chmod(0o755)
    (repository / "moved.py").rename(repository / "moved_away.py")
    (repository / "link").symlink_to("app.py")
    git(repository, "add", "two words.py")
    state = measure_tree(repository)
    done = run_git(copy, "apply", "-", input=text_of(repository).encode())
    assert done.returncode == 0, done.stderr
    assert measure_tree(copy).hash == state.hash


def test_binary_files_are_only_named(repository: Path):
    write(repository, {"image.bin": b"\0\1\2"})
    commit_all(repository)
    write(repository, {"image.bin": b"\0\1\3", "other.bin": b"\0hidden"})
    text = text_of(repository)
    assert "Binary files a/image.bin and b/image.bin differ" in text
    assert "Binary files /dev/null and b/other.bin differ" in text
    assert "hidden" not in text


def test_files_that_are_only_touched_are_not_shown(repository: Path):
    write(repository, {"app.py": "2\n"})
    (repository / "lib" / "tools.py").touch()
    assert "tools.py" not in text_of(repository)


def test_the_users_settings_do_not_change_the_text(repository: Path, tmp_path: Path, monkeypatch):
    write(repository, {"app.py": "2\n"})
    expected = text_of(repository)
    write(
        tmp_path,
        {
            "gitconfig": "[color]\nui = always\n[diff]\nnoprefix = true\nmnemonicPrefix = true\n"
            "context = 9\nrenames = copies\nexternal = false\n[core]\npager = false\nabbrev = 12\n"
        },
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    shown = text_of(repository)
    assert [one for one in shown.split("\n") if not one.startswith("index ")] == [
        one for one in expected.split("\n") if not one.startswith("index ")
    ]


def test_a_nested_repository_is_named_with_its_commit(repository: Path):
    nested = make_work_tree(repository / "nested")
    assert f"Repository b/nested at {git(nested, 'rev-parse', 'HEAD')}" in text_of(repository)


def test_an_unborn_branch_is_shown_as_additions(tmp_path: Path):
    folder = tmp_path / "new"
    folder.mkdir()
    git(folder, "init", "-q")
    write(folder, {"app.py": "1\n"})
    assert "+++ b/app.py" in text_of(folder)


def test_odd_names_and_bytes_are_shown(repository: Path):
    write(repository, {'quo"te\n.py': "1\n", "größe.py": "ß\n", "latin.txt": b"\xdf\n"})
    text = text_of(repository)
    assert r'+++ "b/quo\042te\012.py"' in text
    assert "+++ b/größe.py" in text
    assert "+\ufffd" in text


def test_secrets_are_masked_in_changed_lines_context_and_new_files(repository: Path):
    write(repository, {"app.py": 'PASSWORD = "hunter2"\nx = 1\n'})
    commit_all(repository)
    write(
        repository, {"app.py": 'PASSWORD = "hunter2"\nx = 2\n', "deploy.env": "API_KEY=hunter3\n"}
    )
    text = text_of(repository)
    assert ' PASSWORD = "[masked]"' in text
    assert "+API_KEY=[masked]" in text
    assert "hunter" not in text
    assert "+x = 2" in text


def test_a_long_diff_is_cut_at_a_line_and_says_so(repository: Path):
    write(repository, {"app.py": "a line of text\n" * 100_000, "new.py": "x = 1\n"})
    text = text_of(repository)
    assert len(text.encode()) <= diff.MAX_DIFF_BYTES + 100
    assert text.endswith("\n[cut: the diff is longer than 1,024 KiB]\n")
    assert text.split("\n")[-3] == "+a line of text"


def test_a_long_new_file_is_cut_too(repository: Path):
    write(repository, {"new.py": "a line of text\n" * 100_000})
    assert text_of(repository).endswith("[cut: the diff is longer than 1,024 KiB]\n")


def test_thousands_of_changed_files_fit_the_command_line(repository: Path):
    names = [
        f"package/with/a/rather/long/path/to/fill/the/line/m{number}.py" for number in range(2_500)
    ]
    write(repository, dict.fromkeys(names, "1\n"))
    commit_all(repository)
    write(repository, dict.fromkeys(names, "2\n"))
    text = text_of(repository)
    assert text.count("diff --git ") == 2_500


def test_a_clean_or_unmeasured_tree_has_no_diff(repository: Path):
    assert build_document(repository, measure_tree(repository)) is None
    write(repository, {"app.py": "2\n"})
    assert build_document(repository, TreeState(True, reason="too large")) is None


def test_a_tree_that_changed_after_it_was_measured_has_no_diff(repository: Path):
    write(repository, {"app.py": "2\n"})
    state = measure_tree(repository)
    write(repository, {"app.py": "3\n"})
    assert build_document(repository, state) is None


def test_what_can_not_be_read_in_time_is_no_diff(repository: Path):
    write(repository, {"app.py": "2\n"})
    assert read_diff(repository, limits=Limits(timeout_s=0.0)) is None
    assert diagnostics.counts["diff_not_stored"] == 1


def test_no_program_of_the_repositorys_configuration_is_run(repository: Path, tmp_path: Path):
    script = tmp_path / "hostile"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/it-ran\n")
    script.chmod(0o755)
    git(repository, "config", "diff.external", str(script))
    git(repository, "config", "diff.mine.textconv", str(script))
    git(repository, "config", "diff.mine.command", str(script))
    write(repository, {".gitattributes": "*.py diff=mine\n"})
    commit_all(repository)
    write(repository, {"app.py": "2\n"})
    assert "+2" in text_of(repository)
    assert not (tmp_path / "it-ran").exists()


def test_without_the_library_nothing_is_stored_and_the_log_says_once_what_to_install(
    repository: Path,
):
    write(repository, {"app.py": "2\n"})
    code = (
        "import sys; sys.modules['detect_secrets'] = None\n"
        "from whence.sdk.context.work_tree.diff import build_document\n"
        "from whence.sdk.context.work_tree.state import measure_tree\n"
        f"state = measure_tree({str(repository)!r})\n"
        "assert state.hash\n"
        f"for _ in range(2): assert build_document({str(repository)!r}, state) is None\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("install `whence[secrets]`") == 1


def test_the_log_is_quiet_where_all_is_well(repository: Path, caplog: pytest.LogCaptureFixture):
    write(repository, {"app.py": "2\n"})
    with caplog.at_level(logging.INFO, logger="whence"):
        text_of(repository)
    assert caplog.records == []
