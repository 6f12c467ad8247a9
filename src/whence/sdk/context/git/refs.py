"""What a reference is, and how HEAD, branches and tags follow from references.

Names are bytes inside this package, because git allows any bytes in them; object ids are lower-case
hex text. Two stores keep references: `ref_files` and `reftable`.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD = b"HEAD"
HEADS = b"refs/heads/"
REMOTES = b"refs/remotes/"
TAGS = b"refs/tags/"
# References that each work tree has for itself; all others are common to a repository's work trees.
OWN_PREFIXES = (b"refs/bisect/", b"refs/worktree/", b"refs/rewritten/")
MAX_SYMBOLIC_STEPS = 5
MAX_NAME_BYTES = 4096  # a path can't be longer
MAX_NAMES_AT_COMMIT = 200
MALFORMED = re.compile(
    rb"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|[/.]\Z|(?:\A|/)\.|\.lock(?:/|\Z)",
)


class RefValue(msgspec.Struct, frozen=True):
    """What a reference holds: an object id, or the name of another reference."""

    object_id: str | None = None
    target: bytes | None = None


class RefAt(msgspec.Struct, frozen=True):
    """A reference that leads to a commit; `is_peeled` if by way of a tag object."""

    name: bytes
    is_peeled: bool = False


class RefStore(Protocol):
    """Where references are kept. Both methods raise OSError or ValueError for what is broken."""

    def read(self, name: bytes) -> RefValue | None:
        """Return a reference's value, None where there is no such reference."""

    def find_at(self, commit: str, prefix: bytes) -> Iterable[RefAt]:
        """Yield references under a prefix that hold the commit; symbolic ones are left out."""


class Head(msgspec.Struct, frozen=True):
    """Where HEAD leads. `branch` is a full name below `refs/heads/`, also of an unborn branch."""

    commit: str | None = None
    branch: bytes | None = None
    is_detached: bool = False


def is_ref_name(name: bytes) -> bool:
    """Tell whether a name is one that git would accept below `refs/`."""
    is_long = len(name) > MAX_NAME_BYTES
    return name.startswith(b"refs/") and not is_long and not MALFORMED.search(name)


def is_own(name: bytes) -> bool:
    """Tell whether a reference belongs to one work tree only."""
    return not name.startswith(b"refs/") or name.startswith(OWN_PREFIXES)


def read_head(store: RefStore) -> Head:
    """Follow HEAD to its branch and its commit. A circle ends at the branch it was entered by."""
    value = store.read(HEAD)
    if value is None:
        return Head()
    if value.object_id is not None:
        return Head(commit=value.object_id, is_detached=True)
    return _follow(store, value.target)


def _follow(store: RefStore, first: bytes | None) -> Head:
    name = first
    for _ in range(MAX_SYMBOLIC_STEPS):
        if name is None or not is_ref_name(name):
            return Head()
        try:
            value = store.read(name)
        except (OSError, ValueError):  # the branch is known, its commit is not
            value = None
        if value is None or value.target is None:
            return Head(commit=value.object_id if value else None, branch=_only_branch(name))
        name = value.target
    return Head(branch=_only_branch(first))


def _only_branch(name: bytes | None) -> bytes | None:
    return name if name is not None and name.startswith(HEADS) else None


def find_branches(store: RefStore, commit: str, remotes: Iterable[str]) -> tuple[bytes, ...]:
    """Return the short names of the local branches at a commit, else of the remote ones."""
    local = {ref.name.removeprefix(HEADS) for ref in _find_some(store, commit, HEADS)}
    if local:
        return tuple(sorted(local))
    # A remote's name may hold slashes itself, so the longest known one is cut.
    known = sorted((one.encode("utf-8", "surrogateescape") + b"/" for one in remotes), key=len)
    names = {_cut_remote(ref.name, known) for ref in _find_some(store, commit, REMOTES)}
    return tuple(sorted(names - {b"", HEAD}))


def _find_some(store: RefStore, commit: str, prefix: bytes) -> list[RefAt]:
    """Stop after so many that which of them it is can't be said any more."""
    return list(islice(store.find_at(commit, prefix), MAX_NAMES_AT_COMMIT))


def _cut_remote(name: bytes, known: list[bytes]) -> bytes:
    short = name.removeprefix(REMOTES)
    for remote in reversed(known):
        if short.startswith(remote):
            return short[len(remote) :]
    return short.partition(b"/")[2]


def find_tag(store: RefStore, commit: str) -> bytes | None:
    """Return the one annotated tag at a commit, else the one lightweight tag, else None."""
    found = _find_some(store, commit, TAGS)
    for group in (_names(found, is_peeled=True), _names(found, is_peeled=False)):
        if group:
            return group.pop() if len(group) == 1 else None
    return None


def _names(found: list[RefAt], *, is_peeled: bool) -> set[bytes]:
    return {ref.name.removeprefix(TAGS) for ref in found if ref.is_peeled is is_peeled}
