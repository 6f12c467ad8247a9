"""What is sent about a finding: JSON for programs, Slack's form for people."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import msgspec

from whence.entities.comparison_text import describe_metric, escape, format_value, name_metric
from whence.entities.finding import CLOSING, ENDED, OPENED, REOPENED, RESOLVED, WORSENED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from whence.entities.comparison import MetricComparison
    from whence.entities.finding import Evidence, Finding

PREFIX = "finding."
TEST = "webhook.test"
EVENTS = tuple(PREFIX + kind for kind in (OPENED, WORSENED, REOPENED, RESOLVED, ENDED))
_TITLES = {
    PREFIX + OPENED: ":red_circle: *{candidate}*{where} is worse than {baseline}: *{metrics}*",
    PREFIX + WORSENED: ":red_circle: *{candidate}*{where} is worse in more than before, "
    "against {baseline}: *{metrics}*",
    PREFIX + REOPENED: ":red_circle: *{candidate}*{where} is worse than {baseline} again: "
    "*{metrics}*",
    PREFIX + RESOLVED: ":white_check_mark: The regression of *{candidate}*{where} is gone: "
    "{metrics}",
    PREFIX + ENDED: ":white_circle: *{candidate}*{where} has no more traffic; it was not seen to "
    "get better: {metrics}",
}
_MOST_SPANS = 2


class Message(NamedTuple):
    """What is to be said: `url` is where people reach the server, for links."""

    message_id: str
    event: str
    finding: Finding | None
    at_ms: int
    url: str | None

    @property
    def link(self) -> str | None:
        """Where the candidate's traces of the finding are shown."""
        if self.url is None or self.finding is None:
            return None
        asked = quote(self.finding.figures.candidate_filter, safe="")
        return f"{self.url.rstrip('/')}/traces?filter={asked}"


def write_json(message: Message) -> str:
    """Return the body for a program."""
    moment = datetime.fromtimestamp(message.at_ms / 1000, timezone.utc)
    finding = message.finding
    body = {
        "id": message.message_id,
        "type": message.event,
        "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": {
            "finding": None if finding is None else msgspec.to_builtins(finding),
            "url": message.link,
        },
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def write_slack(message: Message) -> str:
    """Return the body for Slack."""
    lines = "\n".join(line for line in _write_lines(message) if line)
    return json.dumps({"text": lines}, ensure_ascii=False)


def _write_lines(message: Message) -> Iterator[str]:
    finding = message.finding
    if finding is None:
        yield "Whence: this is a test of the webhook."
        return
    yield _TITLES[message.event].format(
        candidate=_plain(finding.candidate),
        baseline=_plain(finding.baseline),
        where=f" ({_plain(finding.environment)})" if finding.environment else "",
        metrics=", ".join(_plain(name_metric(one.metric)) for one in finding.metrics),
    )
    if message.event.removeprefix(PREFIX) in CLOSING:
        yield _plain(finding.resolved_reason or "")
    else:
        yield from (_describe(one) for one in finding.metrics)
        if finding.evidence is not None:
            yield from _write_evidence(finding.evidence)
    if message.link is not None:
        yield f"<{message.link}|the traces>"


def _describe(one: MetricComparison) -> str:
    values = (format_value(value, one.unit) for value in (one.baseline, one.candidate))
    return _plain(f"{describe_metric(one)}: {' → '.join(values)}")


def _write_evidence(evidence: Evidence) -> Iterator[str]:
    slower = [one for one in evidence.spans if one.difference_ms > 0]
    for span in slower[:_MOST_SPANS]:
        values = (format_value(value, "ms") for value in (span.baseline_ms, span.candidate_ms))
        yield f"why: {_plain(span.name)}: {' → '.join(values)} a trace"
    for error in [one for one in evidence.errors if one.status in ("new", "more")][:1]:
        text = f"{error.type}: {error.message}".strip(": ")
        yield f"{error.status} error: {_plain(text)} in {_plain(error.span)}"
    yield _plain(evidence.notes[0]) if evidence.notes else ""


def _plain(text: str) -> str:
    """Return stored text as one line that links and mentions nothing."""
    line = escape(text).replace("\\", "")
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
