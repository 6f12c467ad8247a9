"""A prepared request as bytes, for the way from one process to another, and the frames around it.

Facts travel as MessagePack, the spans as an Arrow stream. What many spans share travels once and is
shared again on arrival: for each pair of a resource and a provenance its texts, which `facts` reads
from there.

A frame is a head of three numbers (what it is, and the lengths of its two parts) and the parts.
Both sides are of one version of this program, as far as `name_form` can tell: the form promises
nothing to anybody else.
"""

from __future__ import annotations

import hashlib
import os
import struct
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from whence.ingest.facts import SpanFacts, name_sources
from whence.ingest.prepare import Envelope, Prepared
from whence.ingest.provenance import unpack_provenance
from whence.store.rows import AssessmentRow, DocumentRow, SpanRow

if TYPE_CHECKING:
    from collections.abc import Sequence

Buffer = bytes | bytearray | memoryview
REQUEST, PREPARED, REFUSED, FAILED = range(4)
OTHER_FORM = 64  # the status of a process whose form is another than it was told
_HEAD = struct.Struct("<BQQ")
_NONE: dict[str, str] = {}


class _Contents(msgspec.Struct, array_like=True):
    """`sources[source_of[n]]` is the resource and the provenance of row `n`."""

    trace_ids: list[str]
    places: list[int]
    facts: list[SpanFacts]
    sources: list[tuple[str, str]]
    source_of: list[int]
    experiments: dict[str, str]
    documents: list[DocumentRow]
    assessments: list[AssessmentRow]
    message: str
    size_bytes: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Contents)


def name_form() -> str:
    """Return what tells apart versions of this program whose parcels differ."""
    structs = (_Contents, SpanFacts, AssessmentRow, DocumentRow, SpanRow, Envelope)
    fields = [(one.__name__, one.__struct_fields__, one.__annotations__) for one in structs]
    return hashlib.sha256(repr((_HEAD.format, fields)).encode()).hexdigest()


def pack(prepared: Prepared, rows: Sequence[SpanRow]) -> tuple[bytes, Buffer]:
    """Return both parts of a prepared request, whose rows were `rows`; its facts are used up."""
    numbers: dict[tuple[str, str], int] = {}
    source_of = [
        numbers.setdefault((row.resource_json, row.provenance), len(numbers)) for row in rows
    ]
    for facts in prepared.facts:
        facts.resource = facts.resource_sources = _NONE
        facts.explicit_sources = _NONE
    contents = _Contents(
        trace_ids=prepared.trace_ids,
        places=prepared.places,
        facts=prepared.facts,
        sources=list(numbers),
        source_of=source_of,
        experiments=prepared.experiments,
        documents=prepared.documents,
        assessments=prepared.assessments,
        message=prepared.message,
        size_bytes=prepared.size_bytes,
    )
    return _encoder.encode(contents), _write_batch(prepared.spans)


def unpack(contents: Buffer, spans: Buffer) -> Prepared:
    """Return the prepared request; its spans lie in the buffer given."""
    read = _decoder.decode(contents)
    sources = [
        (*name_sources(resource, provenance), unpack_provenance(provenance)[0])
        for resource, provenance in read.sources
    ]
    same = {text: text for text in read.experiments}
    for facts, number in zip(read.facts, read.source_of, strict=True):
        facts.resource, facts.resource_sources, facts.explicit_sources = sources[number]
        facts.experiment_id = same[facts.experiment_id]
        facts.explicit = facts.explicit or _NONE
        facts.tags = facts.tags or _NONE
        facts.derived = facts.derived or _NONE
        named = facts.derived_sources
        facts.derived_sources = _share(tuple(named.items())) if named else _NONE
    return Prepared(
        trace_ids=read.trace_ids,
        places=read.places,
        facts=read.facts,
        spans=_read_batch(spans),
        experiments=read.experiments,
        documents=read.documents,
        assessments=read.assessments,
        message=read.message,
        size_bytes=read.size_bytes,
    )


@lru_cache(maxsize=4096)
def _share(pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return dict(pairs)


def _write_batch(batch: pa.RecordBatch | None) -> Buffer:
    if batch is None:
        return b""
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, batch.schema) as writer:
        writer.write_batch(batch)
    return memoryview(stream.getvalue())


def _read_batch(spans: Buffer) -> pa.RecordBatch | None:
    if not len(spans):
        return None
    with pa.ipc.open_stream(pa.py_buffer(spans)) as reader:
        return reader.read_next_batch()


# --- Frames -----------------------------------------------------------------------------------


def write_frame(descriptor: int, kind: int, first: Buffer, second: Buffer = b"") -> None:
    """Write a frame, and wait until it is taken. Raises OSError where nobody reads any more."""
    head = _HEAD.pack(kind, len(first), len(second))
    parts = [memoryview(part) for part in (head, first, second) if len(part)]
    while parts:
        written = os.writev(descriptor, parts)
        while parts and written >= len(parts[0]):
            written -= len(parts.pop(0))
        if written:
            parts[0] = parts[0][written:]


def read_frame(descriptor: int) -> tuple[int, bytearray, bytearray]:
    """Wait for a frame. Raises EOFError where it ends before."""
    head = bytearray(_HEAD.size)
    _fill(descriptor, [memoryview(head)])
    kind, *sizes = _HEAD.unpack(head)
    first, second = map(bytearray, sizes)
    _fill(descriptor, [memoryview(part) for part in (first, second) if part])
    return kind, first, second


def _fill(descriptor: int, parts: list[memoryview]) -> None:
    while parts:
        size = os.readv(descriptor, parts)
        if not size:
            raise EOFError("the other side has gone")
        while parts and size >= len(parts[0]):
            size -= len(parts.pop(0))
        if size:
            parts[0] = parts[0][size:]
