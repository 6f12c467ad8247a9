"""The text of what differs from HEAD, for a person to read: opt-in, secrets masked, once a hash.

Tracked files as `git diff` shows them, new ones as additions, binary ones only named, links by
their target, repositories within the tree by their commit. Line endings and content filters are
applied as in the hash. Kept only if `detect-secrets` is installed (`whence[secrets]`): unmasked
text leaves no process. Cut at `MAX_DIFF_BYTES`, with a mark.

Runs the git program: for a background thread. Never raises; without a diff the answer is None and
the log says why, once. Limits: an edit of a file that git was told to pass over (assume-unchanged)
is in the hash and not in the text, and so are the edits within a nested repository.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from whence.sdk import diagnostics
from whence.sdk.context.found import Document
from whence.sdk.context.work_tree.candidates import ABSENT, LINK, REPOSITORY
from whence.sdk.context.work_tree.git_program import Git, GitError
from whence.sdk.context.work_tree.secrets import find_masker
from whence.sdk.context.work_tree.state import (
    Limits,
    TreeState,
    look_at_tree,
    open_git,
    read_limits,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from whence.sdk.context.work_tree.changes import Change

KIND = "diff"
NO_MASKER = (
    "The diff is not stored, because secrets in it could not be masked: install `whence[secrets]` "
    "(detect-secrets)."
)
MAX_DIFF_BYTES = 1 << 20
BINARY_PROBE_BYTES = 8_000
MAX_WORDS_BYTES = 64 << 10  # of the paths on one command line
MASKING_FACTOR = 4  # masking may take so many times the limit: it does not hold git
OPTIONS = (
    "--patch",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--unified=3",
    "--inter-hunk-context=0",
    "--diff-algorithm=myers",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--ignore-submodules=all",
)


def build_document(
    root: str | os.PathLike[str],
    state: TreeState,
    *,
    is_trusted: bool = False,
    limits: Limits | None = None,
) -> Document | None:
    """Return the diff of a measured tree as a document under its hash; None where there is none.

    There is none for a clean or unmeasured tree, without `detect-secrets`, and where the tree has
    changed since it was measured.
    """
    if state.hash is None:
        return None
    found = read_diff(root, is_trusted=is_trusted, limits=limits)
    if found is None or found[0] != state.hash:
        return None
    return Document(KIND, state.hash, found[1])


def read_diff(
    root: str | os.PathLike[str], *, is_trusted: bool = False, limits: Limits | None = None
) -> tuple[str, str] | None:
    """Return the hash of a dirty work tree and its diff with the secrets masked."""
    mask = find_masker()
    if mask is None:
        diagnostics.warn_once("diff_not_stored", NO_MASKER)
        return None
    bounds = limits or read_limits()
    try:
        tree = look_at_tree(root, is_trusted=is_trusted, limits=bounds)
        if not tree.changes:
            return None
        git = open_git(root, is_trusted=is_trusted, limits=bounds)
        text = _join(_read_parts(git, tree.head.commit, tree.changes), MAX_DIFF_BYTES)
        patience = Limits(timeout_s=bounds.timeout_s * MASKING_FACTOR)
        clock = open_git(root, is_trusted=is_trusted, limits=patience)
        return tree.hash, mask(text, clock.check_time)
    except (GitError, OSError) as error:
        diagnostics.warn_once("diff_not_stored", "The diff is not stored: %s.", error)
    except Exception as error:  # noqa: BLE001 - it must never break the program
        diagnostics.caught("diff", error)
    return None


def _join(parts: Iterator[bytes], max_bytes: int) -> str:
    """Join the parts until there is enough, and cut at a line's end."""
    whole = bytearray()
    for part in parts:
        whole += part
        if len(whole) > max_bytes:
            end = whole.rfind(b"\n", 0, max_bytes) + 1
            mark = f"[cut: the diff is longer than {max_bytes >> 10:,} KiB]\n"
            return whole[:end].decode("utf-8", "replace") + mark
    return whole.decode("utf-8", "replace")


def _read_parts(git: Git, commit: bytes | None, changes: Sequence[Change]) -> Iterator[bytes]:
    ordered = sorted(changes, key=lambda one: one.path)
    known = [one.path for one in ordered if not one.is_new and one.mode != REPOSITORY]
    for some in _on_one_line(known):
        yield git.run(
            "diff-index",
            *OPTIONS,
            commit or b"HEAD",
            "--",
            *some,
            max_bytes=MAX_DIFF_BYTES + 1,
            may_cut=True,
        )
    for one in ordered:
        if one.mode == REPOSITORY:
            yield b"Repository %s at %s\n" % (_name("b/", one.path), one.content)
        elif one.is_new and one.mode != ABSENT:
            yield _show_new_file(git, one)


def _on_one_line(paths: Sequence[bytes]) -> Iterator[list[bytes]]:
    some: list[bytes] = []
    size = 0
    for path in paths:
        if some and size + len(path) > MAX_WORDS_BYTES:
            yield some
            some, size = [], 0
        some.append(path)
        size += len(path) + 1
    if some:
        yield some


def _show_new_file(git: Git, one: Change) -> bytes:
    """Write a new file as git would show it once it were added."""
    before, after = _name("a/", one.path), _name("b/", one.path)
    header = b"diff --git %s %s\nnew file mode %s\n" % (before, after, one.mode)
    content = _read_start(os.path.join(os.fsencode(git.root), one.path), one.mode)  # noqa: PTH118 - bytes
    if b"\0" in content[:BINARY_PROBE_BYTES]:
        return header + b"Binary files /dev/null and %s differ\n" % after
    if not content:
        return header
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    open_end = lines.pop()
    if open_end:
        lines.append(open_end)
    span = b"1" if len(lines) == 1 else b"1,%d" % len(lines)
    body = b"".join(b"+%s\n" % line for line in lines)
    missing = b"\\ No newline at end of file\n" if open_end else b""
    return header + b"--- /dev/null\n+++ %s\n@@ -0,0 +%s @@\n" % (after, span) + body + missing


def _read_start(path: bytes, mode: bytes) -> bytes:
    """Return as much of a file as can be shown; a link's target."""
    if mode == LINK:
        return os.readlink(path)  # noqa: PTH115 - bytes
    with open(path, "rb") as file:  # noqa: PTH123 - as above
        return file.read(MAX_DIFF_BYTES + 1)


def _name(prefix: str, path: bytes) -> bytes:
    """Return a path as git writes it in headers, quoted where it would break the line."""
    whole = prefix.encode() + path
    if not any(byte < 32 or byte in b'"\\\x7f' for byte in whole):  # noqa: PLR2004 - control codes
        return whole
    quoted = b"".join(
        b"\\%03o" % byte if byte < 32 or byte in b'"\\\x7f' else b"%c" % byte  # noqa: PLR2004
        for byte in whole
    )
    return b'"%s"' % quoted
