"""Comparisons of one question, asked again and again while traffic arrives, as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from whence.entities.comparison import INCONCLUSIVE, REGRESSED, decide_all
from whence.entities.comparison_text import label_of, write_summary

if TYPE_CHECKING:
    from whence.entities.comparison import Comparison, MetricComparison


def join_looks(before: Comparison | None, now: Comparison) -> Comparison:
    """Return what is known after this look: a guard that had a verdict keeps it, with its figures.

    A metric that is judged at looks only shows the last one's figures until the next.
    """
    if before is None:
        return now
    known = {one.metric: one for one in before.metrics}
    rows = [_keep(known.get(one.metric), one) for one in now.metrics]
    verdict = decide_all(rows)
    summary = write_summary(verdict, label_of(now.baseline), label_of(now.candidate), rows)
    return msgspec.structs.replace(now, metrics=rows, verdict=verdict, summary=summary)


def _keep(before: MetricComparison | None, now: MetricComparison) -> MetricComparison:
    if before is None or (before.verdict == INCONCLUSIVE and now.low is not None):
        return now
    if before.verdict != INCONCLUSIVE and before.guard:
        return before
    return before if before.low is not None and now.low is None else now


def is_settled(found: Comparison, *, at_first: bool) -> bool:
    """Tell whether every guard has a verdict; `at_first`: or one of them regressed."""
    verdicts = [one.verdict for one in found.metrics if one.guard]
    if at_first and REGRESSED in verdicts:
        return True
    return bool(verdicts) and INCONCLUSIVE not in verdicts
