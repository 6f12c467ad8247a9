"""Files that git keeps by pointer (Git LFS): the id of the pointer that would be stored for them.

The pointer is a small text with the content's SHA-256 and size, so it is written here, without the
`git-lfs` program: a container that lacks it, or a copied tree, tells an untouched file from an
edited one all the same, with the same id as everywhere else. A file that holds the pointer itself
was never fetched and counts as it is. Limit: pointers with extensions are not written.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from whence.sdk.context.work_tree.git_program import Git

VERSION = b"version https://git-lfs.github.com/spec/v1\n"
POINTER_START = b"version https://git-lfs.github.com/spec/"
MAX_POINTER_BYTES = 1024
CHUNK_BYTES = 1 << 20


def find_large_files(git: Git, paths: Sequence[bytes]) -> set[bytes]:
    """Return those paths whose attributes have git keep them by pointer."""
    if not paths:
        return set()
    listing = b"".join(path + b"\0" for path in paths)
    fields = git.run("check-attr", "-z", "--stdin", "filter", data=listing).split(b"\0")
    return {
        path for path, value in zip(fields[0::3], fields[2::3], strict=False) if value == b"lfs"
    }


def read_stored(git: Git, path: bytes) -> bytes:
    """Return what git would store for a file that it keeps by pointer."""
    with open(os.path.join(os.fsencode(git.root), path), "rb") as file:  # noqa: PTH118, PTH123 - bytes
        start = file.read(MAX_POINTER_BYTES)
        if len(start) < MAX_POINTER_BYTES and (not start or start.startswith(POINTER_START)):
            return start
        digest, size = sha256(start), len(start)
        while chunk := file.read(CHUNK_BYTES):
            git.check_time()
            digest.update(chunk)
            size += len(chunk)
    return b"%soid sha256:%s\nsize %d\n" % (VERSION, digest.hexdigest().encode(), size)


def hash_large_files(
    git: Git, paths: Sequence[bytes], hash_blob: Callable[[bytes], bytes]
) -> dict[bytes, bytes]:
    """Return the id of the stored pointer of every one of these paths that has one."""
    large = find_large_files(git, paths)
    return {path: hash_blob(read_stored(git, path)) for path in paths if path in large}
