"""Record repositories with reftables, and what git says of them, for tests/sdk/context/git.

    PATH=/folder/of/a/new/git:$PATH python scripts/record_reftables.py

wants git 2.45 or newer. The tests read the recording where the installed git makes no reftables.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "sdk" / "context" / "git"
sys.path[:0] = [str(ROOT / "tests"), str(FOLDER)]

import test_matrix  # noqa: E402 - found by the path above

from git_repositories import state_by_git, with_reftables  # noqa: E402

CASES = (
    "a_work_tree",
    "an_unborn_branch",
    "a_linked_work_tree",
    "a_detached_linked_work_tree_with_packed_references",
    "a_submodule",
    "a_shallow_clone_of_a_tag",
    "a_detached_head_at_several_branches_some_packed",
    "a_detached_head_at_a_deleted_branch",
    "a_detached_head_at_a_remote_branch_only",
    "an_annotated_tag_before_a_lightweight_one",
    "a_branch_name_that_is_not_utf_8",
    "a_bisection_in_a_linked_work_tree",
)
KEPT = ("HEAD", "config", "commondir", "gitdir", "shallow", "tables.list", ".ref", ".git")
PLACES = ("root", "git_dir", "common_dir")


def record() -> None:
    """Write the recording: for each case a folder, and in `states.json` git's answers."""
    states = {}
    with zipfile.ZipFile(FOLDER / "reftables.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for form in ("reftable", "reftable-sha256"):
            for case in CASES:
                name = f"{case}-{form.removeprefix('reftable').strip('-') or 'sha1'}"
                with TemporaryDirectory() as folder:
                    states[name] = _record_case(file, name, Path(folder).resolve(), form)
        _write(file, "states.json", json.dumps(states, indent=1, sort_keys=True).encode())


def _record_case(file: zipfile.ZipFile, name: str, top: Path, form: str) -> dict[str, object]:
    with with_reftables():
        folder = test_matrix.CASES[name.rpartition("-")[0]](top, test_matrix.FORMATS[form])
    for path in sorted(top.rglob("*")):
        if path.is_file() and path.name.endswith(KEPT):
            data = path.read_bytes().replace(str(top).encode(), b"@TOP@")
            _write(file, f"{name}/{path.relative_to(top).as_posix()}", data)
    said = {key: value for key, value in state_by_git(folder).items() if key not in PLACES}
    url = str(said.pop("url") or "")
    said |= {} if str(top) in url else {"url": url or None}
    return {**said, "folder": folder.relative_to(top).as_posix()}


def _write(file: zipfile.ZipFile, name: str, data: bytes) -> None:
    member = zipfile.ZipInfo(name)  # with a fixed date, so that only the content makes a difference
    member.compress_type = zipfile.ZIP_DEFLATED
    file.writestr(member, data)


if __name__ == "__main__":
    record()
