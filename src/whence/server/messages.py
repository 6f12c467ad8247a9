"""What is sent about a finding: JSON for programs, Slack's form for people."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from whence.entities.comparison_text import escape, format_value, name_metric
from whence.entities.finding import OPENED, REOPENED, RESOLVED

if TYPE_CHECKING:
    from whence.entities.finding import Finding

PREFIX = "finding."
TEST = "webhook.test"
EVENTS = tuple(PREFIX + kind for kind in (OPENED, REOPENED, RESOLVED))
_SIGNS = {
    PREFIX + OPENED: ":red_circle:",
    PREFIX + REOPENED: ":red_circle:",
    PREFIX + RESOLVED: ":white_check_mark:",
}
_WORDS = {
    PREFIX + OPENED: "regressed in",
    PREFIX + REOPENED: "is worse again in",
    PREFIX + RESOLVED: "is no longer worse in",
}
_MOST_SPANS = 2


def write_message(
    event: str, finding: Finding | None, at_ms: int, *, slack: bool, url: str | None
) -> str:
    """Return the body of a message; `url` is where people reach the server, for links."""
    link = None if url is None or finding is None else _link(url, finding)
    if slack:
        return json.dumps(_write_slack(event, finding, link), ensure_ascii=False)
    moment = datetime.fromtimestamp(at_ms / 1000, timezone.utc).isoformat(timespec="milliseconds")
    body: dict[str, Any] = {"type": event, "timestamp": moment.replace("+00:00", "Z")}
    body["data"] = {
        "finding": None if finding is None else msgspec.to_builtins(finding),
        "url": link,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _link(url: str, finding: Finding) -> str:
    """Return where the candidate's traces of the finding are shown."""
    return f"{url.rstrip('/')}/traces?filter={quote(finding.figures.candidate_filter, safe='')}"


def _write_slack(event: str, finding: Finding | None, link: str | None) -> dict[str, str]:
    if finding is None:
        return {"text": "Whence: this is a test of the webhook."}
    metric = _plain(name_metric(finding.metric))
    where = f" ({_plain(finding.environment)})" if finding.environment else ""
    lines = [
        f"{_SIGNS[event]} *{metric}* {_WORDS[event]} *{_plain(finding.candidate)}*{where}",
        _plain(finding.summary),
    ]
    if event == PREFIX + RESOLVED:
        lines.append(_plain(finding.resolved_reason or ""))
    elif finding.evidence is not None:
        lines += [
            f"{_plain(one.name)}: {format_value(one.baseline_ms, 'ms')} → "
            f"{format_value(one.candidate_ms, 'ms')} a trace"
            for one in finding.evidence.spans[:_MOST_SPANS]
        ]
    if link is not None:
        lines.append(f"<{link}|the traces>")
    return {"text": "\n".join(line for line in lines if line)}


def _plain(text: str) -> str:
    """Return stored text as one line that links and mentions nothing."""
    line = escape(text).replace("\\", "")
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
