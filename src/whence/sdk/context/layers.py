"""The layers of the context: who looks where. Two tables of functions, the fast and the late ones.

A fast layer takes milliseconds, opens few files and starts no program; a late one may take
seconds and start the git program. Each is called under a guard: what it found before it failed
counts, and the failure is counted in `whence.tracing.stats()`.
"""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from whence import semconv
from whence.sdk import diagnostics
from whence.sdk.context import platforms, table, variables
from whence.sdk.context.distribution import describe_distribution, find_distribution
from whence.sdk.context.found import Document, Found
from whence.sdk.context.git import read_git
from whence.sdk.context.host import read_host
from whence.sdk.context.identity import LONE_BRANCH
from whence.sdk.context.image_labels import read_image_labels
from whence.sdk.context.program import (
    JOB,
    LOCAL,
    UNKNOWN,
    Program,
    find_late,
    find_login,
    find_program,
)
from whence.sdk.context.pyproject import is_source_of, read_pyproject
from whence.sdk.context.stamp import read_stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from whence.sdk.context.distribution import Distribution
    from whence.sdk.context.git import GitState
    from whence.sdk.context.identity import Evidence

T = TypeVar("T")
MAX_VALUE_CHARS = semconv.MAX_VALUE_CHARS


class Basis(msgspec.Struct, frozen=True):
    """What the layers start from.

    `folder` is the current folder, None if it is gone. `state` is of the repository of the
    program's code (then `is_own`), else of the current folder. `is_trusted`: the program runs what
    lies there, so that the git program may too. `passed_by` is the top of the current folder's
    repository where that is none of the program's. `stores_diff`: the text of what differs from the
    commit is wanted.
    """

    program: Program
    folder: Path | None
    distribution: Distribution | None
    state: GitState | None
    is_own: bool
    is_trusted: bool
    declared: dict[str, str]
    stores_diff: bool = False
    passed_by: Path | None = None


class Layer(msgspec.Struct, frozen=True):
    """One place to look.

    `sources` are the table's names for what it yields, the first for what names another one;
    without any, a value's own origin is the name.
    """

    read: Callable[[Basis], Iterable[Found | Document]]
    sources: tuple[str, ...] = ()


def find_basis(
    program: Program,
    folder: Path | None,
    declared: dict[str, str],
    read_current: Callable[[], GitState | None],
) -> Basis:
    """Find the distribution and the repository of a program that runs in a folder.

    `read_current` reads the repository of that folder; it is asked last, and does not count for a
    program that is installed from elsewhere.
    """
    distribution = guard(lambda: find_distribution(program))
    source_folder = distribution.folder if distribution is not None else None
    state: GitState | None = None
    for place in (program.file, source_folder):
        if state is None and place is not None:
            state = guard(partial(read_git, place))
    is_own = state is not None
    passed_by: Path | None = None
    if state is None and (current := guard(read_current)) is not None:
        if _is_from_elsewhere(program, distribution, folder, current.root):
            passed_by = current.root
        else:
            state = current
    return Basis(
        program=program,
        folder=folder,
        distribution=distribution,
        state=state,
        is_own=is_own,
        is_trusted=is_own,
        declared=declared,
        passed_by=passed_by,
    )


def _is_from_elsewhere(
    program: Program, distribution: Distribution | None, folder: Path | None, root: Path
) -> bool:
    """Tell an installed program that only happens to be started in a repository.

    The repository says nothing about the program, unless it is the one that was installed.
    """
    if program.file is not None or distribution is None or distribution.folder is not None:
        return False
    source = distribution.source
    if source is not None and source.resolve().is_relative_to(root):
        return False
    return not is_source_of(distribution.name, folder)


def look_at_program() -> Program:
    """Return the program of this process; one of which nothing is known where that fails."""
    return guard(find_program) or Program(None, UNKNOWN, table.PROGRAM)


def find_folder() -> Path | None:
    """Return the current folder, or None where it was removed meanwhile."""
    with contextlib.suppress(OSError):
        return Path.cwd()
    return None


def guard(look: Callable[[], T | None]) -> T | None:
    """Return what `look` finds; None where it fails, which is counted."""
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - detection must never break the program
        diagnostics.caught("context", error)
        return None


def collect(layers: Iterable[Layer], basis: Basis) -> tuple[Evidence, list[Document]]:
    """Ask every layer; a source's first word on a key counts."""
    evidence: Evidence = {}
    documents: list[Document] = []
    for layer in layers:
        try:
            for one in layer.read(basis):
                if isinstance(one, Document):
                    documents.append(one)
                elif (kept := _bound(one)) is not None:
                    evidence.setdefault(_source_of(layer, one), {}).setdefault(kept.key, kept)
        except Exception as error:  # noqa: BLE001, PERF203 - detection must never break the program
            diagnostics.caught("context", error)
    return evidence, documents


def _source_of(layer: Layer, found: Found) -> str:
    if not layer.sources:
        return found.source
    return found.source if found.source in layer.sources else layer.sources[0]


def _bound(found: Found) -> Found | None:
    """Return what can be sent: without lone surrogates, and not too long; None where it is empty.

    One character more than the limit is kept: the server cuts it and notes that it did.
    """
    key, value, source = found.key, found.value[: MAX_VALUE_CHARS + 1], found.source
    if not (key.isascii() and value.isascii() and source.isascii()):
        key, value, source = _mend(key), _mend(value), _mend(source)
    return Found(key, value, source) if key and value else None


def _mend(text: str) -> str:
    """Replace lone surrogates, which have no UTF-8 form, by `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")


# --- The fast layers ------------------------------------------------------------------------------


def _read_declared(basis: Basis) -> Iterator[Found]:
    for key, value in basis.declared.items():
        # A declared commit or branch is kept as it is written; an address never with a password.
        kept = variables.clean(key, value) if key == semconv.GIT_REPO_URL else value
        if kept:
            yield Found(key, kept, table.DECLARED)


def _read_repository(basis: Basis) -> Iterator[Found]:
    state = basis.state
    if state is None:
        if basis.passed_by is not None:
            note = f"the program is installed, and not from {basis.passed_by}, where it was started"
            yield Found(semconv.GIT_COMMIT, note, table.NOTE)
        return
    said = {
        semconv.GIT_COMMIT: state.commit,
        semconv.GIT_BRANCH: state.branch or state.unfinished_branch,
        semconv.GIT_REPO_URL: state.url,
    }
    for key, value in said.items():
        if value:
            yield Found(key, value, _name_repository(basis))


def _name_repository(basis: Basis) -> str:
    return table.DOT_GIT if basis.is_own else f"{table.DOT_GIT} (current folder)"


def _read_lone_branch(basis: Basis) -> Iterator[Found]:
    """Yield the branch that a detached HEAD must be of, if there is only one at its commit."""
    state = basis.state
    if state is None or not state.is_detached or not state.commit:
        return
    if len(state.branches_at_head) == 1:
        yield Found(table.ALSO_AT, state.commit, LONE_BRANCH)
        yield Found(semconv.GIT_BRANCH, state.branches_at_head[0], LONE_BRANCH)


def _read_tag(basis: Basis) -> Iterator[Found]:
    if basis.state is not None and basis.state.tag_at_head:
        tag = variables.clean_tag(basis.state.tag_at_head)
        yield Found(semconv.APP_VERSION, tag, f"{table.DOT_GIT} (tag)")


def _read_distribution(basis: Basis) -> Iterator[Found]:
    if basis.distribution is not None:
        yield from describe_distribution(basis.distribution)


def _read_pyproject(basis: Basis) -> Iterator[Found]:
    source_folder = basis.distribution.folder if basis.distribution is not None else None
    return read_pyproject(basis.program.file or source_folder)


def _read_program(basis: Basis) -> Iterator[Found]:
    program = basis.program
    name = _relative_name(program, basis.state)
    if name:
        yield Found(semconv.SOURCE_NAME, name, program.source)
    marker = platforms.find_job_marker() if program.kind in (LOCAL, JOB) else None
    if marker is not None:
        yield Found(semconv.SOURCE_TYPE, JOB, f"env {marker}")
    else:
        yield Found(semconv.SOURCE_TYPE, program.kind, table.PROGRAM)


def _relative_name(program: Program, state: GitState | None) -> str | None:
    """Return a script's path from the top of its repository, so that it reads alike anywhere."""
    if not program.name_is_path or program.file is None or state is None:
        return program.name
    try:
        return program.file.resolve().relative_to(state.root).as_posix()
    except (OSError, ValueError):  # the script lies elsewhere
        return program.name


def _read_login(_basis: Basis) -> Iterator[Found]:
    login = find_login()
    if login:
        yield Found(semconv.USER, login, table.SYSTEM)


FAST: tuple[Layer, ...] = (
    Layer(_read_declared, (table.DECLARED,)),
    Layer(lambda _: variables.read_variables(platforms.claim_variables())),
    Layer(lambda _: variables.read_custom(), (table.CUSTOM,)),
    Layer(lambda _: variables.read_otel_attributes(), (table.OTEL_ATTRIBUTES,)),
    Layer(lambda _: variables.read_run_context(), (table.RUN_CONTEXT,)),
    Layer(lambda basis: read_stamp(basis.program.file, basis.folder), (table.STAMP,)),
    Layer(lambda _: platforms.read_platforms(), (table.PLATFORM,)),
    Layer(_read_repository, (table.DOT_GIT, table.NOTE)),
    Layer(_read_lone_branch, (LONE_BRANCH,)),
    Layer(lambda _: read_image_labels(), (table.LABELS,)),
    Layer(_read_distribution, (table.DISTRIBUTION, table.DIRECT_URL)),
    Layer(_read_pyproject, (table.PYPROJECT,)),
    Layer(_read_tag, (table.TAG,)),
    Layer(_read_program, (table.PROGRAM,)),
    Layer(_read_login, (table.SYSTEM,)),
    Layer(lambda _: read_host(), (table.HOST,)),
)

# --- The late layers ------------------------------------------------------------------------------


def _read_late_program(basis: Basis) -> Iterator[Found]:
    """Yield what only another process knows of a notebook: a Jupyter server, Databricks."""
    program = find_late(basis.program)
    if program is not None:
        yield from _read_program(msgspec.structs.replace(basis, program=program))


def _read_tree(basis: Basis) -> Iterator[Found | Document]:
    """Yield whether the work tree is dirty, and its diff if that is wanted."""
    state = basis.state
    if state is None:
        return
    from whence.sdk.context.work_tree.state import measure_tree

    tree = measure_tree(state.root, is_trusted=basis.is_trusted)
    if tree.dirty is not None:
        yield Found(semconv.GIT_DIRTY, "true" if tree.dirty else "false", _name_repository(basis))
    if tree.hash:
        yield Found(semconv.GIT_DIRTY_HASH, tree.hash, _name_repository(basis))
    if tree.reason:
        unknown = semconv.GIT_DIRTY if tree.dirty is None else semconv.GIT_DIRTY_HASH
        yield Found(unknown, tree.reason, table.NOTE)
    if basis.stores_diff and tree.hash:
        from whence.sdk.context.work_tree.diff import build_document

        document = build_document(state.root, tree, is_trusted=basis.is_trusted)
        if document is not None:
            yield document


def _read_nearest_tag(basis: Basis) -> Iterator[Found]:
    state = basis.state
    if state is None or state.tag_at_head or not state.commit:
        return
    from whence.sdk.context.work_tree.nearest_tag import nearest_tag

    tag = nearest_tag(state.root, is_trusted=basis.is_trusted)
    if tag:
        yield Found(semconv.APP_VERSION, tag, table.TAG)


LATE: tuple[Layer, ...] = (
    Layer(_read_late_program, (table.LATE_PROGRAM,)),
    Layer(_read_nearest_tag, (table.TAG,)),
    Layer(_read_tree, (table.DOT_GIT, table.NOTE)),
)
