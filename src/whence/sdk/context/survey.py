"""The context as a program would find it in another place: behind `whence context` and `stamp`.

`survey` asks the same layers as a process does for itself, for a folder and perhaps a program's
file there. What the command that asks has declared or runs as doesn't count; the environment
variables are those of the command. Without a program's file, one that lies in the folder is meant.
Limits: its name then stays unknown, and so does what an installed console script belongs to.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import msgspec

from whence.sdk.context import layers, table
from whence.sdk.context.git import read_git
from whence.sdk.context.process import Context, Late, build
from whence.sdk.context.program import Program
from whence.sdk.context.program.kinds import find_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from whence.sdk.context.found import Document, Found

UNNAMED = "the program that you start"


class Survey(msgspec.Struct, frozen=True):
    """What was found, the documents that belong to it, and how long each part took."""

    context: Context
    documents: tuple[Document, ...]
    fast_ms: float
    late_ms: float


def survey(
    folder: Path,
    program_file: Path | None = None,
    given: Iterable[Found] = (),
    *,
    with_stamp: bool = True,
) -> Survey:
    """Look around for a program that is started in a folder.

    `given` counts more than everything else. `with_stamp=False` passes over stamps.
    """
    started = perf_counter()
    stated = list(given)
    program = _name_program(folder, program_file)
    basis = layers.find_basis(program, folder.absolute(), {}, lambda: read_git(folder))
    if program_file is None:  # nothing of the folder is going to run
        basis = msgspec.structs.replace(basis, is_trusted=False)

    def read_given(_basis: layers.Basis) -> Iterator[Found]:
        yield from stated

    asked = [layer for layer in layers.FAST if with_stamp or table.STAMP not in layer.sources]
    evidence, _ = layers.collect([layers.Layer(read_given, (table.DECLARED,)), *asked], basis)
    middle = perf_counter()
    late_evidence, documents = layers.collect(layers.LATE, basis)
    ended = perf_counter()
    late = Late(late_evidence, tuple(documents), has_diff=False)
    return Survey(
        context=build(evidence, late),
        documents=late.documents,
        fast_ms=(middle - started) * 1e3,
        late_ms=(ended - middle) * 1e3,
    )


def _name_program(folder: Path, file: Path | None) -> Program:
    if file is None:  # a program that lies there
        return Program(None, find_kind(), UNNAMED, folder.absolute())
    path = file if file.is_absolute() else folder / file
    return Program(str(file), find_kind(), UNNAMED, path.absolute(), name_is_path=True)
