"""Moves between stores, as commands run them: a bar, a checkpoint, a report, an exit code."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from whence.cli.frame import INCOMPLETE, WRONG_INPUT, notes
from whence.cli.terminal_text import escape_line
from whence.errors import InvalidInputError, NotFoundError, WhenceError
from whence.moves.checkpoint import Checkpoint, default_path
from whence.moves.report import Report
from whence.moves.sender import Sender
from whence.sdk.reading.http import path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from rich.progress import Progress, Task
    from rich.text import Text

    from whence.moves.trace import Found
    from whence.sdk.reading.client import Client


class Options(msgspec.Struct, kw_only=True):
    """What every move may be told."""

    report: Path | None = None
    checkpoint: Path | None = None
    restart: bool = False


@contextmanager
def open_report(path: Path | None, checkpoint: Checkpoint | None = None) -> Iterator[Report]:
    """Yield the report of a move, with its file where one was asked for.

    With a checkpoint it begins with what earlier runs lost, and a move that does not come to its
    end says how to go on.
    """
    report = Report()
    with ExitStack() as stack:
        if path is not None:
            try:
                report.write_to(stack.enter_context(path.open("wb")))
            except OSError as error:
                raise InvalidInputError(f"{path} can't be written: {error.strerror}") from None
        if checkpoint is None:
            yield report
            return
        stack.enter_context(checkpoint.keeping_losses(report))
        try:
            yield report
        except (KeyboardInterrupt, WhenceError):
            if checkpoint.goes_on:
                moved = checkpoint.progress.counts.traces
                notes().print(f"{moved} traces were moved: the same command goes on there")
            raise


def open_checkpoint(
    options: Options, move: Mapping[str, Any], exists: Callable[[str], bool]
) -> Checkpoint:
    """Return the checkpoint of a move; one whose last traces are gone is forgotten."""
    checkpoint = Checkpoint(options.checkpoint or default_path(move), move)
    if options.restart:
        checkpoint.forget()
    elif checkpoint.goes_on:
        ids = checkpoint.progress.last_trace_ids  # none: all that was sent was refused
        if not ids or any(map(exists, reversed(ids))):
            notes().print(
                f"going on after {checkpoint.earlier.traces} traces of an earlier run "
                "(--restart begins anew)",
                soft_wrap=True,
            )
        else:
            notes().print("what an earlier run moved is not there any more: beginning anew")
            checkpoint.forget()
    return checkpoint


def send(
    client: Client,
    found: Iterable[Found],
    report: Report,
    *,
    total: int | None = None,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Send what a reader yields to a Whence server, with a bar."""
    with show_progress("importing", total) as advance:
        Sender(client, report, checkpoint=checkpoint, advance=advance).send_all(found)


def make_experiment(client: Client, name: str, tags: Mapping[str, str], report: Report) -> None:
    """Make an experiment where there is none of this name, and set its tags."""
    made = client.call("POST", "/experiments", body={"name": name})
    if made.get("lifecycle_stage") == "deleted":
        raise InvalidInputError(
            f"the experiment {name!r} was deleted here: restore it first, or leave it out"
        )
    for key, value in tags.items():
        path = "/experiments" + path_of(made["experiment_id"], "tags", key)
        try:
            client.call("PUT", path, body={"value": value})
        except InvalidInputError as error:
            report.lose(f"experiment {name}", f"tag {key!r}: {error.message}")


def has_trace(client: Client) -> Callable[[str], bool]:
    """Return what tells whether a trace is stored."""

    def exists(trace_id: str) -> bool:
        try:
            client.read_trace(trace_id)
        except NotFoundError:
            return False
        except WhenceError:
            return True  # whatever it is, it is no reason to begin anew
        return True

    return exists


def finish(report: Report, text: str, *, sent: bool) -> None:
    """Say what became of a move, and end the program with 3 where parts are missing, else with 0.

    Where nothing at all was `sent` because nothing could be read, the input was wrong: 2.
    """
    notes().print(text, soft_wrap=True)
    if not report.lost:
        return
    notes().print(f"not moved: {report.lost}", soft_wrap=True)
    for line in report.lines():
        notes().print(f"  {escape_line(line)}", soft_wrap=True)
    raise typer.Exit(INCOMPLETE if sent else WRONG_INPUT)


def finish_traces(report: Report, what: str, checkpoint: Checkpoint | None = None) -> None:
    """Say how much was moved, take the checkpoint away, and end as `finish` does."""
    earlier = 0
    if checkpoint is not None:
        earlier = checkpoint.earlier.traces
        checkpoint.remove()
    after = f", after {earlier} traces of an earlier run" if earlier else ""
    sent = report.counts.traces + report.counts.spans + earlier > 0
    finish(report, f"{what} {report.counts}{after}", sent=sent)


@contextmanager
def show_progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar with the rate and the time left on a terminal's stderr; yield what moves it."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        """How many a second."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f}/s")

    parts = (TextColumn(what), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    out = notes()
    bar: Progress
    with Progress(*parts, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)
