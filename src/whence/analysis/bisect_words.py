"""What a bisection says in words: its summary, its notes, commands that record what is missing."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import msgspec

from whence.entities.bisection import FOUND, NARROWED, NOT_MOVED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.entities.bisection import BisectedVersion, Bisection
    from whence.query.bisected import Range

SHORT = 12
_COMMIT = re.compile(r"[0-9a-f]{7,64}")  # other text could be an option
MUCH, LITTLE = 0.95, 0.2
MOST_OF_IT = 0.6


def add_commands(
    versions: Sequence[BisectedVersion], found: Range, environment: str | None
) -> list[BisectedVersion]:
    """Return the versions, those that more traces are needed of with a command to record them."""
    return [
        one
        if one.needed is None
        else msgspec.structs.replace(one, record=write_command(one, found.by, environment))
        for one in versions
    ]


def write_command(one: BisectedVersion, by: str, environment: str | None) -> str:
    """Return a line that runs a version's code again, its traces named like the others."""
    settings = {"WHENCE_APP_VERSION": one.name} if by == "app_version" else {}
    if environment is not None:
        settings["WHENCE_ENVIRONMENT"] = environment
    run = " ".join(
        [*(f"{name}={shlex.quote(value)}" for name, value in settings.items()), "<your program>"]
    )
    known = _COMMIT.fullmatch(one.commit or "")
    code = known[0] if known else f"<commit of {one.name}>"
    folder = f"../bisect-{code[:SHORT]}" if known else "../bisect"
    checkout = shlex.join(["git", "worktree", "add", folder, code])
    return f"{checkout} && (cd {shlex.quote(folder)} && {run})"


def write_summary(found: Bisection) -> str:
    """Return the outcome in a sentence."""
    where = f" in {found.environment}" if found.environment else ""
    name = found.metric
    if found.outcome == NOT_MOVED:
        return f"{name} did not move from {found.good} to {found.bad}{where}: they are equivalent"
    if found.outcome not in (FOUND, NARROWED):
        return (
            f"whether {name} moved from {found.good} to {found.bad}{where} can't be told: "
            f"{found.reason}"
        )
    what = "worse" if found.verdict == "regressed" else "better"
    if found.outcome == FOUND:
        return (
            f"{found.first} is the first {what} {_kind(found)} for {name}{where}, with "
            f"{found.confidence:.1%}; {found.before} was not yet"
        )
    named = ", ".join(found.candidates)
    return (
        f"the first {what} {_kind(found)} for {name}{where} is one of {named} (together "
        f"{found.level:.0%}); most likely {found.first}, with {found.confidence:.1%}"
    )


def _kind(found: Bisection) -> str:
    return "commit" if found.by == "commit" else "version"


def find_notes(found: Bisection, first: int | None) -> list[str]:
    """Return what a reader must know beside the outcome."""
    notes = []
    few = [one.name for one in found.versions if one.state == "untold"]
    if few:
        notes.append(f"too few traces to tell anything of {', '.join(few)}")
    if first is not None:
        later = found.versions[first + 1 :]
        back = [one.name for one in later if one.moved <= LITTLE and one.state != "untold"]
        if back and found.versions[first].moved >= MUCH:
            notes.append(
                f"{', '.join(back)} came after it and probably had not moved: the metric went "
                "there and back"
            )
        effect, total = found.versions[first].effect, found.effect
        if effect is not None and total and effect / total < MOST_OF_IT:
            notes.append(
                f"it made only a part of the difference ({_write(effect, found)} of "
                f"{_write(total, found)}): another version after it added to it; go on with "
                f"--good {found.first}"
            )
    if found.untraced_count and found.outcome in (FOUND, NARROWED):
        notes.append(
            f"{found.untraced_count} commits between {found.good} and {found.bad} have no traces: "
            "the change may lie in any of them that leads to the version named"
        )
    return notes


def _write(effect: float, found: Bisection) -> str:
    if found.scale == "ratio":
        return f"{effect:+.1%}"
    return f"{100 * effect:+.2f} points" if found.unit == "share" else f"{effect:+.3g}"
