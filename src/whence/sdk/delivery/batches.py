"""From queued items to bodies of a bearable size, and from a body to two smaller ones."""

from __future__ import annotations

import time
from json.encoder import encode_basestring as quote
from typing import TYPE_CHECKING, Any, Protocol

from whence import semconv
from whence.errors import MalformedPayloadError
from whence.otlp.json import (
    decode_request,
    encode_attributes,
    encode_request,
    encode_span,
    encode_text,
)
from whence.otlp.records import Resource, ResourceSpans, SpanRecord
from whence.sdk import diagnostics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from whence.sdk.delivery.stats import Stats

BODY_BYTES = 4 << 20
SHORT_DOCUMENTS_CHARS = 200_000  # of one request: a body of documents can't be split
PAUSE_S = 50e-6  # sleep(0) gives the lock up and takes it back before anybody else wakes
PENDING_MARK = b'"endTimeUnixNano":"0"'


class Exportable(Protocol):
    """An ended span, or a root to report as pending.

    It may have `size_bytes` (an estimate), `carries_context` (true where the trace's context
    travels on it) and `as_pending()`, the same root as if it were still open. An ended span's class
    may have `wire_encoder()`: a function that makes its scope and its text in a request of
    OTLP/JSON, quicker than by `to_record`.
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


def encode_documents(documents: Iterable[ProcessDocument]) -> list[bytes]:
    """Return documents as request bodies, each a resource without spans; short ones go together."""
    bodies: list[list[ResourceSpans]] = [[]]
    room = SHORT_DOCUMENTS_CHARS
    for document in documents:
        attributes = {
            semconv.DOCUMENT_KIND: document.kind,
            semconv.DOCUMENT_HASH: document.hash,
            semconv.DOCUMENT_TEXT: document.text,
        }
        if len(document.text) > room and bodies[-1]:
            bodies.append([])
            room = SHORT_DOCUMENTS_CHARS
        bodies[-1].append(ResourceSpans(Resource(attributes), []))
        room -= len(document.text)
    return [encode_request(groups) for groups in bodies if groups]


def encode_items(
    items: Iterable[Exportable],
    context: dict[str, Any],
    stats: Stats,
    slice_spans: Callable[[], int] | None = None,
) -> list[Body]:
    """Return the items as request bodies, one resource for each experiment.

    An item that can't be encoded is dropped and counted, the others go. After so many items as
    `slice_spans` says, asked anew each time, the interpreter's lock is given up for a moment: the
    program then waits no longer than a slice takes (2 to 5 us a span), instead of the 5 ms after
    which it would be taken away.
    """
    stop = slice_spans() if slice_spans is not None else 0
    bodies: list[Body] = []
    draft = _Draft(context)
    for number, item in enumerate(items, 1):
        try:
            encode = _encoders.get(type(item)) or _find_encoder(type(item))
            scope, text = encode(item)
            experiment = (item.experiment_id, item.experiment_name)
            if draft.size_bytes and draft.size_bytes + len(text) > BODY_BYTES:
                bodies.append(draft.close())
                draft = _Draft(context)
            draft.add(experiment, scope, text)
        except Exception as error:  # noqa: BLE001 - one span's fault is not the others'
            diagnostics.caught("describing a span", error)
            stats.drop("not encodable", 1)
            continue
        if encode is not _encode_record or PENDING_MARK not in text:
            draft.spans += 1
        if slice_spans is not None and number >= stop:
            time.sleep(PAUSE_S)
            stop = number + slice_spans()
    if draft.size_bytes:
        bodies.append(draft.close())
    return bodies


_encoders: dict[type[Exportable], Callable[[Any], tuple[str, bytes]]] = {}


def _find_encoder(kind: type[Exportable]) -> Callable[[Any], tuple[str, bytes]]:
    """Return what makes an item's scope and its text in a request."""
    find = getattr(kind, "wire_encoder", None)
    encoder = _encoders[kind] = find() if find is not None else _encode_record
    return encoder


def _encode_record(item: Exportable) -> tuple[str, bytes]:
    record = item.to_record()
    return record.scope, encode_text(encode_span(record))


class Body(bytes):
    """A request's body that knows how many ended spans it holds."""

    spans: int


class _Draft:
    """Encoded spans on their way into one body, by experiment and scope."""

    def __init__(self, context: dict[str, Any]) -> None:
        self.size_bytes = 0
        self.spans = 0
        self._context = context
        self._by_experiment: dict[tuple[str, str], tuple[bytes, dict[str, list[bytes]]]] = {}

    def add(self, experiment: tuple[str, str], scope: str, text: bytes) -> None:
        """Take a span."""
        if experiment not in self._by_experiment:  # its resource is sent once
            resource = self._open_resource(experiment)
            self._by_experiment[experiment] = resource, {}
            self.size_bytes += len(resource)
        _, scopes = self._by_experiment[experiment]
        if scope not in scopes:
            scopes[scope] = []
        scopes[scope] += (text, b",")
        self.size_bytes += len(text) + 1

    def close(self) -> Body:
        """Return all of it as one body, in one copy."""
        parts = [b'{"resourceSpans":[']
        for resource, scopes in self._by_experiment.values():
            parts.append(resource)
            for scope, texts in scopes.items():
                parts.append(_open_scope(scope))
                parts += texts
                parts[-1] = b"]},"
            parts[-1] = b"]}]},"
        parts[-1] = b"]}]}]}"
        body = Body(b"".join(parts))
        body.spans = self.spans
        return body

    def _open_resource(self, experiment: tuple[str, str]) -> bytes:
        """Return a resource up to where its spans begin."""
        attributes = encode_attributes(_resource(self._context, *experiment).attributes)
        return encode_text(f'{{"resource":{{"attributes":{attributes}}},"scopeSpans":[')


def _open_scope(scope: str) -> bytes:
    return encode_text(f'{{"scope":{{"name":{quote(scope)}}},"spans":[')


def split_body(body: bytes) -> list[bytes]:
    """Return a body as two smaller ones; none where it can't be split."""
    try:
        return [encode_request(half) for half in _halve(decode_request(body))]
    except MalformedPayloadError:  # not written by us
        return []


def count_spans(body: bytes) -> int:
    """Return how many ended spans a body holds; no quoted text can look like these keys."""
    if isinstance(body, Body):
        return body.spans
    return body.count(b'"startTimeUnixNano":"') - body.count(PENDING_MARK)


def _resource(context: dict[str, Any], experiment_id: str, experiment_name: str) -> Resource:
    attributes = {**context, semconv.EXPERIMENT_ID: experiment_id}
    if experiment_name:
        attributes[semconv.EXPERIMENT_NAME] = experiment_name
    return Resource(attributes)


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
