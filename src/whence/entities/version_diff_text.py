"""A comparison of two versions, written out for people: as plain text, or as Markdown.

Every stored value goes through `show` first, so that a name stays on its line and commands neither
a terminal nor the Markdown around it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from whence.entities.version import Counted
    from whence.entities.version_diff import (
        Change,
        CommitChange,
        PromptChange,
        SeenChange,
        VersionDiff,
    )

    Show = Callable[[str], str]

SHORT = 10
MAX_LISTED = 20
MAX_VALUE_CHARS = 200
CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
MARKS = re.compile(r"([\\`*_{}\[\]<>|#~])")


class Section(NamedTuple):
    """A title, one line a fact, and blocks of lines below a caption."""

    title: str
    lines: list[str]
    blocks: list[tuple[str, list[str]]]


def write_text(diff: VersionDiff) -> str:
    """Return plain text that a terminal can show."""
    parts = [f"{escape(diff.before.name)} → {escape(diff.after.name)}"]
    for one in list_sections(diff, escape):
        lines = [f"\n{one.title}", *(f"  {line}" for line in one.lines)]
        for caption, block in one.blocks:
            lines += [f"  {caption}", *(f"    {line}" for line in block)]
        parts.append("\n".join(lines))
    return "\n".join(parts) + "\n"


def write_markdown(diff: VersionDiff) -> str:
    """Return Markdown, as for the description of a merge request."""
    parts = [f"## {_escape_marks(diff.before.name)} → {_escape_marks(diff.after.name)}"]
    for one in list_sections(diff, _escape_marks):
        lines = [f"### {one.title}"]
        if one.lines:
            lines += ["", *(f"- {line}" for line in one.lines)]
        for caption, block in one.blocks:
            fence = "`" * max(
                3, 1 + max((len(run) for line in block for run in _ticks(line)), default=0)
            )
            lines += ["", caption, "", f"{fence}diff", *block, fence]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    r"""Return text that stays on its line and commands nothing: a line end becomes `\n`."""
    return CONTROL.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _escape_marks(text: str) -> str:
    return MARKS.sub(r"\\\1", escape(text))


def _ticks(line: str) -> list[str]:
    return re.findall("`+", line)


def list_sections(diff: VersionDiff, show: Show) -> list[Section]:
    """Return what there is to say, the code first."""
    sections = [
        Section("Code", _write_commits(diff.commits, show) + _write_code(diff.code, show), []),
        Section("Dependencies", _write_changes(diff.dependencies, show), []),
        _write_prompts(diff.prompts, show),
        Section("Models", _write_models(diff, show), []),
        Section("Parameters", _write_changes(diff.parameters, show), []),
        Section("Seen in traces", _write_seen(diff, show), []),
        Section("Where it runs", _write_changes(diff.deployment, show), []),
        Section("Notes", [show(note) for note in diff.notes], []),
    ]
    return [one for one in sections if one.lines or one.blocks]


def _write_commits(commits: CommitChange, show: Show) -> list[str]:
    if commits.before is None and commits.after is None:
        return []
    before, after = (
        show(one[:SHORT]) if one else "unknown" for one in (commits.before, commits.after)
    )
    if commits.order == "same":
        return [f"the same commit, {after}"]
    how = {
        "forward": "the second is newer",
        "backward": "the second is older",
        "diverged": "on two branches",
    }.get(commits.order, "their order is unknown")
    count = "" if commits.count is None else f", {_count(commits.count, 'commit')} between"
    lines = [f"commit {before} → {after}: {how}{count}"]
    if commits.order == "diverged" and commits.merge_base:
        lines.append(f"they part at {show(commits.merge_base[:SHORT])}")
    if commits.authors:
        lines.append(
            "authors: " + _join(f"{show(one.value)} ({one.count})" for one in commits.authors)
        )
    if commits.files is not None:
        listed = _join(map(show, commits.files))
        lines.append(
            f"{_count(commits.file_count or 0, 'file')}: {listed}" if listed else "no files"
        )
    lines += [f"commit {show(one)}" for one in commits.subjects or ()]
    return lines


def _write_changes(changes: Iterable[Change], show: Show) -> list[str]:
    return [_write_change(one, show) for one in changes]


def _write_code(changes: Iterable[Change], show: Show) -> list[str]:
    """Write what each process has; where a side has none, it is unknown or does not apply."""
    return [
        f"{show(one.name)}: {_value_or_none(one.before, show)} → {_value_or_none(one.after, show)}"
        for one in changes
    ]


def _value_or_none(value: Any, show: Show) -> str:
    return "none" if value is None else _value(value, show)


def _write_change(change: Change, show: Show) -> str:
    name = show(change.name)
    if change.before is None:
        return f"added {name}: {_value(change.after, show)}"
    if change.after is None:
        return f"removed {name}: {_value(change.before, show)}"
    return f"{name}: {_value(change.before, show)} → {_value(change.after, show)}"


def _value(value: Any, show: Show) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        text = ", ".join(value)
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return show(text[:MAX_VALUE_CHARS]) + ("…" if len(text) > MAX_VALUE_CHARS else "")


def _write_prompts(prompts: Iterable[PromptChange], show: Show) -> Section:
    lines, blocks = [], []
    for one in prompts:
        size = " → ".join(
            f"{side.bytes} bytes" if side is not None else "none"
            for side in (one.before, one.after)
        )
        caption = f"{show(one.name)}: {size}" + (f" ({one.note})" if one.note else "")
        if one.diff:
            blocks.append((caption, [escape(line) for line in one.diff]))
        else:
            lines.append(caption)
    return Section("Prompts", lines, blocks)


def _write_models(diff: VersionDiff, show: Show) -> list[str]:
    return [
        *(f"declared: {line}" for line in _write_changes(diff.models, show)),
        *_write_only("asked for", diff.models_requested, show),
        *_write_only("answered", diff.models_answered, show),
    ]


def _write_seen(diff: VersionDiff, show: Show) -> list[str]:
    tools = _write_only("tool", diff.tools, show)
    return [*tools, *_write_only("span", diff.span_names, show)]


def _write_only(what: str, seen: SeenChange, show: Show) -> list[str]:
    return [
        *(f"{what}, before only: {_count_of(one, show)}" for one in seen.only_before),
        *(f"{what}, now only: {_count_of(one, show)}" for one in seen.only_after),
    ]


def _count_of(one: Counted, show: Show) -> str:
    return f"{show(one.value[:MAX_VALUE_CHARS])} ({one.count})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _join(texts: Iterable[str]) -> str:
    listed = list(texts)
    more = len(listed) - MAX_LISTED
    return ", ".join(listed[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
