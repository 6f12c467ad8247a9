"""Where the context has to be found in spite of everything; each time by a process of its own.

The program reports what it found, what it counted as wrong, and, as Python's audit events tell,
every program that it started, connection that it made and file that it opened to write.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_repositories import git
from whence import semconv
from whence.sdk.context import table
from whence.sdk.context.platform_table import PLATFORMS
from whence.sdk.context.platforms import variables_of
from whence.sdk.context.survey import survey

PROGRAM = """
import json, os, sys
events = []
def note(event, args):
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "os.forkpty",
                 "socket.connect", "socket.getaddrinfo"):
        events.append(event)
    elif event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        events.append(f"write {args[0]}")
import whence, importlib.metadata, msgspec
from whence.sdk.context import process
{before}
sys.addaudithook(note)
context = process.resolve()
{after}
print(json.dumps({
    "values": {entry.key: entry.value for entry in context.entries},
    "sources": {entry.key: entry.source for entry in context.entries},
    "resource": context.resource,
    "events": events,
    "stats": whence.tracing.stats().problems,
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
}))
"""
COMMIT = semconv.GIT_COMMIT
NOBODY = 54321
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives its rights away, so needs some")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A repository with one commit."""
    folder = tmp_path / "app"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


def run(
    folder: Path, before: str = "", after: str = "", env: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Run the program as a script in the folder; return its report."""
    script = folder / "app.py"
    text = PROGRAM.replace("{before}", before).replace("{after}", after)
    if not script.exists():
        script.write_text(text)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "app.py"],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "USER": "ann",
            "PYTHONDONTWRITEBYTECODE": "1",  # else a first run writes
            **(env or {}),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    report["err"] = done.stderr
    return report


def test_the_fast_part_starts_no_program_asks_no_network_and_writes_no_file(app: Path):
    report = run(app)
    assert report["values"][COMMIT] == git(app, "rev-parse", "HEAD")
    assert report["events"] == []
    assert report["stats"] == {}
    assert report["err"] == ""


def test_it_takes_milliseconds(app: Path):
    """3.5 ms on two cores of 2026; the limit leaves room for a busy machine."""
    measure = """
from time import perf_counter
times = []
for _ in range(20):
    process.forget()
    started = perf_counter()
    context = process.resolve()
    times.append((perf_counter() - started) * 1e3)
events.append(min(times))
"""
    assert run(app, after=measure)["events"][-1] < 10


def test_neither_gitpython_nor_the_git_program_is_needed(app: Path):
    commit = git(app, "rev-parse", "HEAD")
    report = run(app, after="process.resolve_late()", env={"PATH": "/nowhere"})
    assert report["values"][COMMIT] == commit
    assert report["values"][semconv.GIT_BRANCH] == "main"
    assert semconv.GIT_DIRTY not in report["values"]
    assert "git" not in report["modules"]
    assert report["err"] == ""


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("two\nlines", "two\nlines"),
        (b"caf\xe9", "caf?"),
        ("x" * 100_000, "x" * (semconv.MAX_VALUE_CHARS + 1)),
        ("\u202eevil\u0000"[:-1], "\u202eevil"),
        ("{}[]'\"`|\\", "{}[]'\"`|\\"),
        ("\U0001f680" * 3, "\U0001f680" * 3),
    ],
    ids=["newline", "not utf-8", "100 kB", "direction", "quotes", "emoji"],
)
def test_a_hostile_value_is_kept_as_far_as_it_can_be_sent(tmp_path: Path, raw, kept: str):
    env = {"APP_VERSION": raw, "WHENCE_METADATA_TEAM": raw, "LC_ALL": "C.UTF-8"}
    report = run(tmp_path, env=env)
    assert report["values"]["app_version"] == kept
    assert report["values"]["team"] == kept
    assert msgspec.json.decode(msgspec.json.encode(report["resource"])) == report["resource"]
    assert report["stats"] == {}


def test_a_hostile_name_of_a_custom_variable_is_a_key_like_any_other(tmp_path: Path):
    name = b"WHENCE_METADATA_\xff" + "Ä B".encode()
    env: dict[Any, str] = {name: "x", "LC_ALL": "C.UTF-8"}
    report = run(tmp_path, env=env)
    assert report["values"]["?ä b"] == "x"
    assert report["sources"]["?ä b"] == "env WHENCE_METADATA_?Ä B"
    msgspec.json.encode(report["resource"])


def test_files_with_null_bytes_and_nonsense_are_passed_over(app: Path):
    commit = git(app, "rev-parse", "HEAD")
    (app / ".git" / "config").write_bytes(b'[remote "origin"]\n\turl = a\x00b\n\xff\xfe')
    (app / "pyproject.toml").write_bytes(b"\x00\x01\x02")
    (app / "whence-stamp.json").write_bytes(b'{"app_version": "1\x00"')
    report = run(app)
    assert report["values"][COMMIT] == commit
    assert "app_version" not in report["values"]
    assert set(report["stats"]) <= {"stamp_ignored"}


BECOME_NOBODY = f"""
process.resolve_late(); process.forget(); whence.tracing.stats()  # imports what this user may not read
os.setgid({NOBODY}); os.setuid({NOBODY})
"""


@pytest.fixture
def shared_app():
    """A repository that every user may read, and only its owner write."""
    folder = Path(tempfile.mkdtemp(prefix="whence-test-"))
    try:
        folder.chmod(0o755)
        git(folder, "init", "-q", "-b", "main")
        git(folder, "commit", "-q", "--allow-empty", "-m", "first")
        yield folder
    finally:
        shutil.rmtree(folder)


@needs_root
@pytest.mark.parametrize("locked", [".git", ".git/refs", ".git/config"])
def test_what_may_not_be_read_is_absent(shared_app: Path, locked: str):
    (shared_app / locked).chmod(0)
    report = run(shared_app, before=BECOME_NOBODY)
    assert report["values"]["mlflow.source.name"].endswith("app.py")
    assert (COMMIT in report["values"]) == (locked == ".git/config")
    assert report["stats"] == {}


@needs_root
def test_where_nothing_may_be_written_nothing_is_missed(shared_app: Path):
    """As on a read-only file system."""
    after = """
context = process.resolve_late()
try:
    open("new.txt", "x")
except PermissionError:
    events.append("refused")
"""
    report = run(shared_app, before=BECOME_NOBODY, after=after)
    assert report["values"][COMMIT] == git(shared_app, "rev-parse", "HEAD")
    assert report["events"][-1] == "refused"
    assert report["stats"] == {}


def test_a_folder_that_is_gone_is_no_hindrance(app: Path):
    gone = "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')"
    report = run(app, before=gone, after="context = process.resolve_late()")
    assert report["values"][COMMIT] == git(app, "rev-parse", "HEAD"), "the program's own file tells"
    assert report["stats"] == {}


def test_many_threads_may_ask_while_it_changes(app: Path):
    threads = """
from concurrent.futures import ThreadPoolExecutor
def ask(number):
    if number % 8 == 0:
        whence.configure(metadata={"round": str(number)})
    if number % 16 == 3:
        process.forget()
    if number == 5:
        process.resolve_late()
    return process.resource_attributes()["vcs.ref.head.revision"]
with ThreadPoolExecutor(16) as pool:
    assert len(set(pool.map(ask, range(128)))) == 1
"""
    assert run(app, before=threads)["stats"] == {}


def test_a_layer_that_fails_hides_no_other(app: Path):
    broken = """
from whence.sdk.context import layers, table
def fail(basis):
    yield layers.Found("seen", "yes", table.DECLARED)
    raise RuntimeError("broken")
layers.FAST = (layers.Layer(fail, (table.DECLARED,)), *layers.FAST)
"""
    report = run(app, before=broken)
    assert report["values"]["seen"] == "yes"
    assert COMMIT in report["values"]
    assert report["stats"] == {"internal_errors": 1}
    assert "The traced program is not affected" in report["err"]


VARIABLES = sorted(
    {
        source.removeprefix("env ")
        for row in table.TABLE
        for source in row.sources
        if "env" in source
    }
    | {name for row in PLATFORMS for name in (*row.markers, *variables_of(row))}
)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=()), max_size=40)


@given(
    st.dictionaries(st.sampled_from(VARIABLES), TEXTS | st.sampled_from(["1", "a" * 40, "HEAD"]))
)
def test_whatever_variables_say_there_is_an_answer_that_can_be_sent(tmp_path_factory, env):
    folder = tmp_path_factory.mktemp("anywhere")
    with pytest.MonkeyPatch.context() as patch:
        for name, text in env.items():
            patch.setenv(name.replace("…", "X"), os.fsdecode(text.encode("utf-8", "surrogatepass")))
        context = survey(folder).context
    assert all(isinstance(value, int) or value for value in context.resource.values())
    decoded = msgspec.json.decode(msgspec.json.encode(context.resource))
    assert set(json.loads(decoded[semconv.PROVENANCE])) == {one.key for one in context.entries}
    commit = decoded.get("vcs.ref.head.revision", "a" * 40)
    assert 7 <= len(commit) <= 64 and not set(commit) - set("0123456789abcdef")
    assert not decoded.get("vcs.ref.head.name", "x").startswith("refs/")
