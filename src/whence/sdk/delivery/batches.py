"""From queued items to bodies of a bearable size, and from a body to two smaller ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from whence import semconv
from whence.errors import MalformedPayloadError
from whence.otlp.json import decode_request, encode_request
from whence.otlp.records import Resource, ResourceSpans, SpanRecord
from whence.sdk import diagnostics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from whence.sdk.delivery.stats import Stats

BODY_BYTES = 4 << 20


class Exportable(Protocol):
    """An ended span, or a root to report as pending.

    It may have `size_bytes` (an estimate), `carries_context` (true where the trace's context
    travels on it) and `as_pending()`, the same root as if it were still open.
    """

    @property
    def experiment_id(self) -> str:
        """The experiment that the trace goes to."""

    @property
    def experiment_name(self) -> str:
        """Its name, or "" where only the id is known."""

    def to_record(self) -> SpanRecord:
        """Return what goes over the wire; called in the exporter thread."""


class ProcessDocument(Protocol):
    """A text about the process that is too long for an attribute, such as a diff."""

    @property
    def kind(self) -> str:
        """What it is: "diff"."""

    @property
    def hash(self) -> str:
        """The name under which the process's context refers to it."""

    @property
    def text(self) -> str:
        """All of it."""


def encode_document(document: ProcessDocument) -> bytes:
    """Return a document as a request body: a resource without spans."""
    attributes = {
        semconv.DOCUMENT_KIND: document.kind,
        semconv.DOCUMENT_HASH: document.hash,
        semconv.DOCUMENT_TEXT: document.text,
    }
    return encode_request([ResourceSpans(Resource(attributes), [])])


def encode_items(items: Iterable[Exportable], context: dict[str, Any], stats: Stats) -> list[bytes]:
    """Return the items as request bodies, one resource for each experiment.

    An item that can't be encoded is dropped and counted, the others go.
    """
    by_experiment: dict[tuple[str, str], list[SpanRecord]] = {}
    for item in items:
        try:
            experiment = (item.experiment_id, item.experiment_name)
            by_experiment.setdefault(experiment, []).append(item.to_record())
        except Exception as error:  # noqa: BLE001, PERF203 - one span's fault is not the others'
            diagnostics.caught("describing a span", error)
            stats.drop("not encodable", 1)
    groups = [
        ResourceSpans(_resource(context, *experiment), spans)
        for experiment, spans in by_experiment.items()
    ]
    return _encode(groups, stats) if groups else []


def split_body(body: bytes) -> list[bytes]:
    """Return a body as two smaller ones; none where it can't be split."""
    try:
        return [encode_request(half) for half in _halve(decode_request(body))]
    except MalformedPayloadError:  # not written by us
        return []


def count_spans(body: bytes) -> int:
    """Return how many ended spans a body holds; no quoted text can look like these keys."""
    return body.count(b'"startTimeUnixNano":"') - body.count(b'"endTimeUnixNano":"0"')


def _resource(context: dict[str, Any], experiment_id: str, experiment_name: str) -> Resource:
    attributes = {**context, semconv.EXPERIMENT_ID: experiment_id}
    if experiment_name:
        attributes[semconv.EXPERIMENT_NAME] = experiment_name
    return Resource(attributes)


def _encode(groups: list[ResourceSpans], stats: Stats) -> list[bytes]:
    body = b""
    try:
        body = encode_request(groups)
        if len(body) <= BODY_BYTES:
            return [body]
    except Exception as error:  # noqa: BLE001 - found by halving
        diagnostics.caught("encoding spans", error)
    halves = _halve(groups)
    if halves:
        return [part for half in halves for part in _encode(half, stats)]
    if not body:
        stats.drop("not encodable", 1)
        return []
    return [body]


def _halve(groups: list[ResourceSpans]) -> list[list[ResourceSpans]]:
    """Split spans into two requests; none where there is one span."""
    flat = [ResourceSpans(group.resource, [span]) for group in groups for span in group.spans]
    if len(flat) <= 1:
        return []
    return [_regroup(flat[: len(flat) // 2]), _regroup(flat[len(flat) // 2 :])]


def _regroup(flat: list[ResourceSpans]) -> list[ResourceSpans]:
    groups: list[ResourceSpans] = []
    for single in flat:
        if groups and groups[-1].resource is single.resource:
            groups[-1].spans.extend(single.spans)
        else:
            groups.append(ResourceSpans(single.resource, list(single.spans)))
    return groups
