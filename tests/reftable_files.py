"""Write reftables, after git's technical documentation of the format.

The tests' own second meaning of the format: the installed git may be too old to make reftables.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

HASH_NAMES = {20: b"sha1", 32: b"s256"}


class Ref(NamedTuple):
    """A reference to write; all empty marks a deletion."""

    name: bytes
    value: bytes = b""
    peeled: bytes = b""
    target: bytes = b""


class Layout(NamedTuple):
    """What the format leaves to the writer."""

    block_size: int = 4096
    is_aligned: bool = True
    restart_every: int = 16
    has_logs: bool = True
    has_index: bool = True
    is_padded: bool = True  # files are met that state a block size and don't pad


def write_stack(git_dir: Path, tables: list[list[Ref]], id_bytes: int, layout: Layout) -> None:
    """Write tables from the oldest to the newest, and their list."""
    folder = git_dir / "reftable"
    folder.mkdir(exist_ok=True)
    names = []
    for number, refs in enumerate(tables, 1):
        names.append(f"{number:#014x}-{number:#014x}-{number:08x}.ref")
        (folder / names[-1]).write_bytes(encode_table(refs, number, id_bytes, layout))
    (folder / "tables.list").write_text("".join(name + "\n" for name in names))


def encode_table(refs: list[Ref], update: int, id_bytes: int, layout: Layout) -> bytes:
    """Return a table's bytes."""
    size = layout.block_size.to_bytes(3, "big") if layout.is_aligned else bytes(3)
    version = 1 if id_bytes == 20 else 2
    header = b"REFT" + bytes([version]) + size + struct.pack(">QQ", update, update)
    if version == 2:
        header += HASH_NAMES[id_bytes]
    table = bytearray(header)
    waiting = sorted(refs)
    entries: list[tuple[bytes, int]] = []
    while waiting:
        start = len(table) if entries else 0
        block, last, waiting = _encode_block(waiting, start, len(header), layout)
        entries.append((last, start))
        table += block
        if layout.is_aligned and layout.is_padded and (waiting or layout.has_logs):
            table += bytes(-(len(table) - start) % layout.block_size)
    index = 0
    if layout.has_index and len(entries) > 1:
        index = len(table)
        table += _encode_index(entries)
    logs = 0
    if layout.has_logs:
        logs = len(table)
        content = zlib.compress(b"refs/heads/main\0" + bytes(8) + header)
        table += b"g" + (100).to_bytes(3, "big") + content
    footer = header + struct.pack(">QQQQQ", index, 0, 0, logs if refs else 0, 0)
    return bytes(table) + footer + struct.pack(">I", zlib.crc32(footer))


def _encode_block(
    refs: list[Ref], start: int, header_size: int, layout: Layout
) -> tuple[bytes, bytes, list[Ref]]:
    """Return a block, its last name, and the references that did not fit."""
    before = header_size if start == 0 else 0
    records = bytearray()
    restarts: list[int] = []
    name = b""
    for number, ref in enumerate(refs):
        is_restart = number % layout.restart_every == 0
        shared = 0 if is_restart else _shared(name, ref.name)
        record = _encode_record(ref, shared)
        length = before + 4 + len(records) + len(record) + 3 * (len(restarts) + is_restart) + 2
        if length > layout.block_size:
            assert number, "the block size is too small for one reference"
            return _close(records, restarts, before), name, refs[number:]
        if is_restart:
            restarts.append(before + 4 + len(records))
        records += record
        name = ref.name
    return _close(records, restarts, before), name, []


def _close(records: bytes, restarts: list[int], before: int) -> bytes:
    table = b"".join(place.to_bytes(3, "big") for place in restarts)
    body = bytes(records) + table + len(restarts).to_bytes(2, "big")
    return b"r" + (before + 4 + len(body)).to_bytes(3, "big") + body


def _encode_record(ref: Ref, shared: int) -> bytes:
    suffix = ref.name[shared:]
    kind = 3 if ref.target else 2 if ref.peeled else 1 if ref.value else 0
    value = varint(len(ref.target)) + ref.target if ref.target else ref.value + ref.peeled
    return varint(shared) + varint(len(suffix) << 3 | kind) + suffix + varint(0) + value


def _encode_index(entries: list[tuple[bytes, int]]) -> bytes:
    records = b"".join(
        varint(0) + varint(len(name) << 3) + name + varint(place) for name, place in entries
    )
    body = records + (4).to_bytes(3, "big") + (1).to_bytes(2, "big")
    return b"i" + (4 + len(body)).to_bytes(3, "big") + body


def _shared(one: bytes, other: bytes) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def varint(number: int) -> bytes:
    """Encode a number as packs encode the distance to a delta's base."""
    encoded = [number & 127]
    while number := number >> 7:
        number -= 1
        encoded.append(128 | number & 127)
    return bytes(reversed(encoded))
