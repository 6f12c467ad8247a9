"""The nearest tag of a commit: the weakest source of a program's version.

`1.2.0` at a tag, `1.2.0-5-gabc1234` five commits behind one (the end names the commit), None where
no tag is reached: none was made, or a shallow clone left it out. A leading `v` before a digit is
cut, as versions are written without it. Uncommitted changes don't show here; the hash of the work
tree tells them. Runs the git program: for a background thread. Never raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.sdk.context.work_tree.git_program import GitError
from whence.sdk.context.work_tree.state import Limits, open_git, read_limits

if TYPE_CHECKING:
    import os
from whence.sdk.context.variables import clean_tag

if TYPE_CHECKING:
    import os

COMMIT_DIGITS = 7


def nearest_tag(
    root: str | os.PathLike[str], *, is_trusted: bool = False, limits: Limits | None = None
) -> str | None:
    """Name the commit of the work tree at `root` by the newest tag that it contains."""
    git = open_git(root, is_trusted=is_trusted, limits=limits or read_limits())
    try:
        said = git.run("describe", "--tags", f"--abbrev={COMMIT_DIGITS}", "HEAD")
    except GitError:
        return None
    return clean_tag(said.decode("utf-8", "replace").strip()) or None
