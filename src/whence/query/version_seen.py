"""What a version's traces show: models asked for and models that answered, tools, span names.

Models that answered are counted over all traces of the version. The rest is read from the spans of
its newest `SAMPLE_TRACES` traces, and so is where it runs.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from whence.entities.version import Counted, VersionSeen
from whence.ingest.jsontext import to_plain_text
from whence.query.compile import SETTINGS, Parameters

if TYPE_CHECKING:
    from collections.abc import Iterable

    from whence.query.version_source import Selection
    from whence.store.connection import Store

SAMPLE_TRACES = 300
MAX_VALUES = 100  # of each kind, the most frequent ones
REQUESTED_MODEL_KEYS = ("gen_ai.request.model", "llm.request.model_name")
TOOL = "TOOL"
# Where a version runs, beside its environment.
DEPLOYMENT_KEYS = (
    "region",
    "deployment_id",
    "cloud.platform",
    "k8s.deployment.name",
    "container.image.name",
    "faas.name",
    "process.runtime.version",
)
_MODELS = """\
SELECT model, count() AS times
FROM traces FINAL
ARRAY JOIN models AS model
WHERE {condition}
GROUP BY model
ORDER BY times DESC, model
LIMIT {limit}
"""
_SAMPLE = """\
SELECT trace_id, {values}
FROM traces FINAL
WHERE {condition}
ORDER BY request_time_ms DESC
LIMIT {limit}
"""
_SPANS = f"""\
SELECT
    name,
    span_type,
    {", ".join(f"attributes['{key}']" for key in REQUESTED_MODEL_KEYS)},
    count()
FROM spans FINAL
WHERE trace_id IN {{ids:Array(String)}}
GROUP BY ALL
"""


def read_seen(store: Store, selection: Selection) -> VersionSeen:
    """Look at the traces of a version."""
    parameters = Parameters()
    condition = selection.condition(parameters)
    values = ", ".join(f"metadata['{key}']" for key in DEPLOYMENT_KEYS)
    sample = _SAMPLE.format(values=values, condition=condition, limit=SAMPLE_TRACES)
    models, traces = store.query_together(
        [
            (_MODELS.format(condition=condition, limit=MAX_VALUES), parameters.values),
            (sample, parameters.values),
        ],
        **SETTINGS,
    )
    ids = [row[0] for row in traces.rows]
    requested: Counter[str] = Counter()
    tools: Counter[str] = Counter()
    names: Counter[str] = Counter()
    spans = store.query(_SPANS, {"ids": ids}, settings=SETTINGS).rows if ids else ()
    for name, span_type, *asked, count in spans:
        names[name] += count
        if span_type == TOOL:
            tools[name] += count
        model = next(filter(None, asked), "")
        if model:
            requested[to_plain_text(model)] += count
    return VersionSeen(
        models_answered=[Counted(*row) for row in models.rows],
        models_requested=_count(requested),
        tools=_count(tools),
        span_names=_count(names),
        deployment={
            key: counted
            for number, key in enumerate(DEPLOYMENT_KEYS, 1)
            if (counted := _count(Counter(filter(None, (row[number] for row in traces.rows)))))
        },
        sampled=len(ids),
    )


def _count(counter: Counter[str] | Iterable[str]) -> list[Counted]:
    return [Counted(*one) for one in Counter(counter).most_common(MAX_VALUES)]
