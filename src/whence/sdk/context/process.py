"""The context of this process: which code, which version, which environment; each with its origin.

From the weakest to the strongest: what is detected (`.git`, the running program), the environment
variables (`variables`), what the program itself declared with `whence.configure(...)`. An unknown
value is absent, never ''. `resolve()` is computed once per process, and again after a
fork or a change of the declarations; it never raises and takes no lock, so that any thread may
call it, and a forked child too.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from whence import semconv
from whence.sdk import diagnostics, settings
from whence.sdk.context.found import Found
from whence.sdk.context.git import GitState, read_git
from whence.sdk.context.program import NOTEBOOK_VARIABLES, Program, find_login, find_program
from whence.sdk.context.variables import (
    RUN_CONTEXT,
    RUN_CONTEXT_KEYS,
    VARIABLES,
    clean,
    read_variables,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SDK_NAME = "whence"
DECLARED = "configure()"
DOT_GIT = ".git"

# The keys that `whence context` always lists, in this order, with where each is detected.
DETECTED: dict[str, tuple[str, ...]] = {
    semconv.ENVIRONMENT: (),
    semconv.APP_VERSION: (),
    semconv.GIT_COMMIT: (DOT_GIT,),
    semconv.GIT_BRANCH: (DOT_GIT,),
    semconv.GIT_REPO_URL: (DOT_GIT,),
    semconv.DEPLOYMENT_ID: (),
    semconv.REGION: (),
    semconv.SOURCE_NAME: ("sys.argv", *(f"env {name}" for name in NOTEBOOK_VARIABLES)),
    semconv.SOURCE_TYPE: ("the running process",),
    semconv.USER: ("the operating system",),
    semconv.SOURCE_RUN: (),
}


class ContextEntry(msgspec.Struct, frozen=True):
    """One key of the context.

    `value` is None where the key is unknown; then `source` lists what was looked at.
    `overridden` holds the values that a stronger source replaced.
    """

    key: str
    value: str | None
    source: str
    overridden: tuple[Found, ...] = ()


class Context(msgspec.Struct, frozen=True):
    """All that is known about this process, and what was looked for in vain."""

    entries: tuple[ContextEntry, ...]
    missing: tuple[ContextEntry, ...]
    resource: dict[str, Any]


_Key = tuple[int, tuple[tuple[str, str], ...]]
_cached: tuple[_Key, Context] | None = None


def resolve() -> Context:
    """Return the context of this process. The same object as long as nothing changed."""
    global _cached  # noqa: PLW0603 - one per process; a tuple, so that a reader sees both or none
    declared = dict(settings.declared)
    key = (os.getpid(), tuple(sorted(declared.items())))
    cached = _cached
    if cached is not None and cached[0] == key:
        return cached[1]
    context = _build(declared)
    _cached = (key, context)
    return context


def describe() -> list[ContextEntry]:
    """Return every key with its value and origin; the unknown ones last, with value None."""
    context = resolve()
    return [*context.entries, *context.missing]


def resource_attributes() -> dict[str, Any]:
    """Return the OTLP resource attributes of this process (a new dict)."""
    return dict(resolve().resource)


def forget() -> None:
    """Look at everything again at the next call (for tests, and for `whence.tracing.reset`)."""
    global _cached  # noqa: PLW0603 - as above
    _cached = None


def resource_name(key: str) -> str:
    """Return the resource attribute that carries a metadata key: OpenTelemetry's, or ours."""
    names = semconv.METADATA_SOURCES.get(key)
    return names[0] if names else semconv.METADATA_PREFIX + key


def _build(declared: dict[str, str]) -> Context:
    found: dict[str, list[Found]] = {}
    for layer in (_detect, read_variables, lambda: _read_declared(declared)):
        for one in _guarded(layer):
            found.setdefault(one.key, []).append(one)
    entries = tuple(
        ContextEntry(key, values[-1].value, values[-1].source, tuple(reversed(values[:-1])))
        for key, values in sorted(found.items(), key=_listing_order)
    )
    missing = tuple(
        ContextEntry(key, None, _looked_at(key)) for key in DETECTED if key not in found
    )
    resource = {**_sdk_attributes(), **{resource_name(e.key): e.value for e in entries}}
    return Context(entries=entries, missing=missing, resource=resource)


def _guarded(layer: Callable[[], Iterator[Found]]) -> list[Found]:
    """Return what a layer found before it failed, if it does; tell `stats()` of it."""
    found: list[Found] = []
    try:
        found.extend(layer())
    except Exception as error:  # noqa: BLE001 - detection must never break the program
        diagnostics.caught("context", error)
    return found


def _listing_order(item: tuple[str, list[Found]]) -> tuple[int, str]:
    order = list(DETECTED)
    key = item[0]
    return (order.index(key) if key in DETECTED else len(order), key)


def _read_declared(declared: dict[str, str]) -> Iterator[Found]:
    for key, value in declared.items():
        # A declared commit or branch is kept as it is written; an address never with a password.
        kept = clean(key, value) if key == semconv.GIT_REPO_URL else value
        if kept:
            yield Found(key, kept, DECLARED)


def _detect() -> Iterator[Found]:
    program = find_program()
    state = _find_git(program)
    if state is not None:
        yield from _read_state(state)
    name = _relative_name(program, state)
    if name:
        yield Found(semconv.SOURCE_NAME, name, program.source)
    yield Found(semconv.SOURCE_TYPE, program.kind, "the running process")
    login = find_login()
    if login:
        yield Found(semconv.USER, login, "the operating system")


def _find_git(program: Program) -> GitState | None:
    """Look where the program's code lies, then in the current folder."""
    folders = [program.file.parent] if program.file is not None else []
    with contextlib.suppress(OSError):  # the folder was removed meanwhile
        folders.append(Path.cwd())
    return next((state for folder in folders if (state := read_git(folder)) is not None), None)


def _read_state(state: GitState) -> Iterator[Found]:
    values = {
        semconv.GIT_COMMIT: state.commit,
        semconv.GIT_BRANCH: state.branch,
        semconv.GIT_REPO_URL: state.url,
    }
    for key, value in values.items():
        if value:
            yield Found(key, os.fsencode(value).decode("utf-8", "replace"), DOT_GIT)


def _relative_name(program: Program, state: GitState | None) -> str | None:
    """Return a script's path from the top of its repository, so that it reads alike anywhere."""
    if not program.name_is_path or program.file is None or state is None:
        return program.name
    try:
        return program.file.resolve().relative_to(state.root).as_posix()
    except (OSError, ValueError):  # the script lies elsewhere
        return program.name


def _looked_at(key: str) -> str:
    variables = [f"env {name}" for name in VARIABLES.get(key, ())]
    if key in RUN_CONTEXT_KEYS:
        variables.append(f"env {RUN_CONTEXT}")
    return ", ".join((DECLARED, *variables, *DETECTED[key]))


def _sdk_attributes() -> dict[str, str]:
    attributes = {"telemetry.sdk.name": SDK_NAME, "telemetry.sdk.language": "python"}
    from importlib.metadata import PackageNotFoundError, version

    with contextlib.suppress(PackageNotFoundError, OSError):  # a tree that nobody installed
        attributes["telemetry.sdk.version"] = version(SDK_NAME)
    return attributes
