"""OTLP files: what collectors' file exporters write, what `whence export` writes, saved requests.

- JSON: a request a line, or one document; protobuf: one request, or many with their lengths in
  front (four bytes, as collectors write, or a varint). Each also as `.gz`. What a file is, it shows
  itself by its content.
- A line that can't be read is named with its number, and the next one is read.

Lines are read one by one; a JSON document and a protobuf file are held in memory whole.
"""

from __future__ import annotations

import gzip
import zlib
from typing import IO, TYPE_CHECKING, Any

import msgspec

from whence.errors import InvalidInputError, MalformedPayloadError
from whence.moves.rows import load, open_file
from whence.moves.trace import TRACE_ID_BYTES, TRACE_ID_PREFIX, Unreadable, is_hex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

EXTRA = "whence"
JSON_STARTS = (b"{", b"[")
PROTOBUF_START = 0x0A  # field 1 of a request, `resource_spans`, with a length
LENGTH_BYTES = 4
SPACE = b" \t\r\n\xef\xbb\xbf"


class Extra(msgspec.Struct, omit_defaults=True):
    """What a line of `whence export` holds besides OTLP."""

    trace_id: str = ""
    assessments: list[dict[str, Any]] = []


class Unit(msgspec.Struct):
    """A request of a file: its place, its groups as OTLP/JSON, what rides beside them."""

    place: str
    groups: list[msgspec.Raw]
    size_bytes: int
    extra: Extra = msgspec.field(default_factory=Extra)


class _Line(msgspec.Struct, rename={"resource_spans": "resourceSpans", "extra": EXTRA}):
    """A request as it lies; in the JSON of protobuf tools the name is `resource_spans`."""

    resource_spans: list[msgspec.Raw] | None = None
    extra: Extra = msgspec.field(default_factory=Extra)


class _Span(msgspec.Struct, rename="camel"):
    trace_id: str = ""


class _ScopeSpans(msgspec.Struct):
    spans: list[_Span] = []


class _Group(msgspec.Struct, rename="camel"):
    """What of a group names its traces."""

    scope_spans: list[_ScopeSpans] = []


_decoder = msgspec.json.Decoder(_Line)
_group_decoder = msgspec.json.Decoder(_Group)


def read_units(
    files: Sequence[str], advance: Callable[[int], None] = lambda _: None
) -> Iterator[Unit | Unreadable]:
    """Yield the requests of files; `advance` is told how many bytes were read."""
    for file in files:
        with open_file(file) as stream:
            blank, first = _first_line(stream)
            if blank and first and _is_protobuf(content := blank + first + stream.read()):
                yield from _read_protobuf(file, content)  # it begins as an empty line does
            elif blank:
                lines = iter(content.splitlines(keepends=True)[1:] if first else ())
                yield from _read_lines(file, next(lines, b"{}"), lines, advance)
            elif not first or first.lstrip(SPACE)[:1] in JSON_STARTS:
                yield from _read_lines(file, first or b"{}", stream, advance)
            else:
                yield from _read_protobuf(file, first + stream.read())


def _first_line(stream: IO[bytes]) -> tuple[bytes, bytes]:
    """Return an empty line at the start, and the first one that is not."""
    try:
        line = stream.readline()
        return (b"", line) if line.strip(SPACE) or not line else (line, stream.readline())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InvalidInputError(f"the file is broken gzip: {error}") from None


def _is_protobuf(content: bytes) -> bool:
    try:
        from whence.otlp.protobuf import decode_request

        return bool(decode_request(content))
    except (ImportError, MalformedPayloadError):
        return False


def _read_lines(
    file: str, first: bytes, lines: Iterable[bytes], advance: Callable[[int], None]
) -> Iterator[Unit | Unreadable]:
    one = _read_line(f"{file} line 1", first)
    try:
        if isinstance(one, Unreadable):
            rest = list(lines)
            whole = _read_line(file, b"".join((first, *rest))) if rest else one
            if isinstance(whole, Unit):
                yield whole
                return
            lines = rest
        yield one
        advance(len(first))
        for number, line in enumerate(lines, 2):
            advance(len(line))
            if line.strip(SPACE):
                yield _read_line(f"{file} line {number}", line)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        yield Unreadable(file, f"the rest of it is broken gzip: {error}")


def _read_line(place: str, line: bytes) -> Unit | Unreadable:
    try:
        read = _decoder.decode(line.strip(SPACE))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Unreadable(place, f"it is no OTLP/JSON: {error}")
    groups = read.resource_spans
    if groups is None and b'"resource_spans"' in line:
        return Unreadable(place, "it is not OTLP/JSON, which has resourceSpans in camelCase")
    return Unit(place, groups or [], len(line), read.extra)


def _read_protobuf(file: str, content: bytes) -> Iterator[Unit | Unreadable]:
    try:
        from whence.otlp.json import encode_request
        from whence.otlp.protobuf import decode_request
    except ImportError:
        raise InvalidInputError(
            'protobuf files need opentelemetry-proto: pip install "whence[server]"'
        ) from None
    messages = _split(content)
    if messages is None:
        yield Unreadable(file, "it is neither OTLP/JSON nor OTLP/protobuf")
        return
    for number, message in enumerate(messages, 1):
        place = file if len(messages) == 1 else f"{file} request {number}"
        try:
            groups = decode_request(message)
        except MalformedPayloadError as error:
            yield Unreadable(place, error.message)
            continue
        unit = _read_line(place, encode_request(groups))
        yield unit


def _split(content: bytes) -> list[bytes] | None:
    """Return the messages of a file: the whole of it, or those with a length in front."""
    for read_length in (_read_fixed, _read_varint):
        messages = _frames(content, read_length)
        if messages:
            return messages
    return [content] if content[0] == PROTOBUF_START else None


def _frames(
    content: bytes, read_length: Callable[[bytes, int], tuple[int, int]]
) -> list[bytes] | None:
    """Return the messages, or None where the lengths don't lead through the file to its end."""
    messages, place = [], 0
    while place < len(content):
        length, place = read_length(content, place)
        message = content[place : place + length]
        if length <= 0 or len(message) < length or message[0] != PROTOBUF_START:
            return None
        messages.append(message)
        place += length
    return messages


def _read_fixed(content: bytes, place: int) -> tuple[int, int]:
    end = place + LENGTH_BYTES
    return int.from_bytes(content[place:end], "big"), end


def _read_varint(content: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while place < len(content):
        byte = content[place]
        number |= (byte & 0x7F) << shift
        place += 1
        shift += 7
        if byte < 0x80 or shift > 35:  # noqa: PLR2004 - seven bits a byte
            break
    return number, place


def list_trace_ids(group: msgspec.Raw) -> list[str]:
    """Return the trace of each span of a group; nothing where it is written in an odd way."""
    try:
        read = _group_decoder.decode(group)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
    ids = [span.trace_id.lower() for scope in read.scope_spans for span in scope.spans]
    return [TRACE_ID_PREFIX + one for one in ids if is_hex(one, TRACE_ID_BYTES)]


def split_group(group: msgspec.Raw) -> list[msgspec.Raw]:
    """Return a group as groups of one span each, with the same resource; itself where it can't be.

    For a request that the server refuses: what is wrong is one span, as a rule.
    """
    try:
        read = load(bytes(group))
        parts = []
        for scope_spans in read.get("scopeSpans") or ():
            for span in scope_spans.get("spans") or ():
                alone = {**read, "scopeSpans": [{**scope_spans, "spans": [span]}]}
                parts.append(msgspec.Raw(msgspec.json.encode(alone)))
    except (AttributeError, TypeError, ValueError):
        return [group]
    return parts or [group]
