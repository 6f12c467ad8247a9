"""The late part of the context: asked once, merged, kept over a fork and a declaration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from git_repositories import git
from whence import semconv

DIFF = semconv.DIFF_DOCUMENT
DIRTY, HASH = semconv.GIT_DIRTY, semconv.GIT_DIRTY_HASH
START = """
import json, os, sys, whence
from whence.sdk.context import process
def show(**more):
    values = {entry.key: entry.value for entry in process.resolve().entries}
    print(json.dumps({"values": values, **more}))
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A repository whose program is `app.py`."""
    folder = tmp_path / "app"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    return folder


def run(app: Path, text: str, *, commit: bool = True, **env: str) -> list[dict]:
    """Write the program, commit it, run it; return what it printed, a line at a time."""
    (app / "app.py").write_text(START + text)
    if commit:
        git(app, "add", "app.py")
        git(app, "commit", "-q", "-m", "the program")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "app.py"],
        cwd=app,
        env={"PATH": os.environ["PATH"], "HOME": str(app.parent), "USER": "ann", **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_late_part_says_whether_the_tree_is_dirty(app: Path):
    program = """
assert not process.is_settled()
show()
context = process.resolve_late()
assert process.is_settled() and context is process.resolve()
show(provenance=json.loads(context.resource["whence.provenance"]))
"""
    before, after = run(app, program)
    assert DIRTY not in before["values"]
    assert after["values"][DIRTY] == "false" and HASH not in after["values"]
    assert after["provenance"][DIRTY] == ".git"
    assert before["values"].items() <= after["values"].items()
    (app / "new.py").touch()
    _, after = run(app, program, commit=False)
    assert after["values"][DIRTY] == "true" and len(after["values"][HASH]) == 40


def test_a_version_is_read_off_the_nearest_tag_where_nothing_else_tells(app: Path):
    run(app, "show()")
    git(app, "tag", "v1.4.0")
    assert run(app, "show()", commit=False)[0]["values"]["app_version"] == "1.4.0"
    late = run(app, "process.resolve_late(); show()")[0]["values"]["app_version"]
    assert late == f"1.4.0-1-g{git(app, 'rev-parse', '--short=7', 'HEAD')}"
    told = run(app, "process.resolve_late(); show()", commit=False, APP_VERSION="3")[0]
    assert told["values"]["app_version"] == "3"


def test_it_is_asked_once_and_survives_declarations_and_forks(app: Path):
    lines = run(
        app,
        """
from whence.sdk.context import layers
asked = []
def count(basis):
    asked.append(os.getpid())
    yield layers.Found("late", "yes", ".git")
layers.LATE = (*layers.LATE, layers.Layer(count, (".git",)))
process.resolve_late()
process.resolve_late()
whence.configure(app_version="9")
assert process.is_settled()
show(asked=len(asked))
sys.stdout.flush()
child = os.fork()
if child == 0:
    assert process.is_settled()
    process.resolve_late()
    show(asked=len(asked), pid=os.getpid())
    sys.stdout.flush()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
process.forget()
assert not process.is_settled()
""",
    )
    parent, child = lines
    assert parent["asked"] == child["asked"] == 1
    assert parent["values"]["late"] == child["values"]["late"] == "yes"
    assert parent["values"]["app_version"] == "9"
    assert child["values"]["process.pid"] == str(child["pid"])
    assert child["values"][DIRTY] == parent["values"][DIRTY] == "false"


def test_a_child_forked_before_asks_for_itself(app: Path):
    lines = run(
        app,
        """
process.resolve()
child = os.fork()
if child == 0:
    assert not process.is_settled()
    process.resolve_late()
    show()
    sys.stdout.flush()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
    )
    assert lines[0]["values"][DIRTY] == "false"


def test_the_diff_is_a_document_only_where_it_is_wanted(app: Path):
    run(app, "pass")
    lines = run(
        app,
        """
process.resolve_late()
show(documents=[one.kind for one in process.documents()])
whence.configure(store_diff=True)
assert not process.is_settled(), "there is more to ask for now"
process.resolve_late()
assert process.is_settled()
show(documents=[[one.kind, one.hash] for one in process.documents()],
     text="".join(one.text for one in process.documents()))
""",
        commit=False,
    )
    without, wanted = lines
    assert DIFF not in without["documents"]
    assert dict(wanted["documents"])[DIFF] == wanted["values"][HASH]
    assert "+process.resolve_late()" in wanted["text"]


def test_the_dirtiness_of_the_folder_is_not_that_of_other_code(app: Path):
    run(app, "pass")
    (app / "new.py").touch()
    line = run(app, "process.resolve_late(); show()", commit=False, WHENCE_COMMIT="f" * 40)[0]
    assert DIRTY not in line["values"] and HASH not in line["values"]


def test_a_resource_with_the_late_values_replaces_the_former_one(app: Path):
    lines = run(
        app,
        """
early = process.resource_attributes()
process.resolve_late()
late = process.resource_attributes()
show(more=sorted(set(late) - set(early)))
""",
    )
    assert lines[0]["more"] == [semconv.METADATA_PREFIX + key for key in (DIRTY, semconv.MANIFEST)]
