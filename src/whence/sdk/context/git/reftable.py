"""References in the reftable format, as git's technical documentation of it lays down.

A stack of binary files, listed in `tables.list` from the oldest to the newest; the newest that
knows a name decides, be it with a value or with a mark of deletion. Version 1 (SHA-1) and 2 (with
an object format in its header) are read. Only the section of references is read: logs and the
indexes are not needed, since the first name of each block leads to the right one. Limits: 64 MiB
of references a file; a place given as `extensions.refStorage = reftable://…` is not followed.
"""

from __future__ import annotations

import os
import struct
import zlib
from bisect import bisect_left, bisect_right
from typing import IO, TYPE_CHECKING, NamedTuple

from whence.sdk.context.git.files import MAX_FILE_BYTES, open_file, read_file
from whence.sdk.context.git.refs import RefAt, RefValue, is_own

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"REFT"
HEADER = struct.Struct(">4sB3sQQ")
# The footer repeats the header; what follows are positions (references' index, objects, objects'
# index, logs, logs' index) and a checksum.
FOOTER_TAIL = struct.Struct(">QQQQQI")
HASH_NAMES = {b"sha1": 20, b"s256": 32}
HEADER_SIZES = {1: HEADER.size, 2: HEADER.size + 4}
MAX_TABLES = 1_000
MAX_ATTEMPTS = 5  # a table may vanish between the reading of the list and its opening
DELETION, VALUE, PEELED_VALUE, SYMBOLIC = range(4)


class Record(NamedTuple):
    """One reference in a table; all None for a mark that it was deleted."""

    name: bytes
    object_id: bytes | None = None
    peeled: bytes | None = None
    target: bytes | None = None


class RefTables:
    """The references of one work tree: its own stack and the repository's common one."""

    def __init__(self, git_dir: str, common_dir: str, id_length: int) -> None:
        self._folders = {True: git_dir, False: common_dir}
        self._id_bytes = id_length // 2
        self._stacks: dict[str, list[Table]] = {}

    def read(self, name: bytes) -> RefValue | None:
        """Return what a reference holds, None where there is none."""
        record = _find_record(self._stack(is_own=is_own(name)), name)
        if record is None or (record.object_id is None and record.target is None):
            return None
        return RefValue(
            object_id=record.object_id.hex() if record.object_id is not None else None,
            target=record.target,
        )

    def find_at(self, commit: str, prefix: bytes) -> Iterator[RefAt]:
        """Yield the references below a prefix that hold a commit, or a tag of it."""
        wanted = bytes.fromhex(commit)
        stack = self._stack(is_own=False)
        for number, table in enumerate(stack):
            for record in table.find_records(wanted, prefix):
                if not record.name.startswith(prefix):
                    continue
                if _find_record(stack[number + 1 :], record.name) is None:
                    yield RefAt(record.name, is_peeled=record.object_id != wanted)

    def _stack(self, *, is_own: bool) -> list[Table]:
        folder = f"{self._folders[is_own]}/reftable"
        if folder not in self._stacks:
            self._stacks[folder] = _read_stack(folder, self._id_bytes)
        return self._stacks[folder]


def _find_record(stack: list[Table], name: bytes) -> Record | None:
    found = (table.find_record(name) for table in reversed(stack))
    return next((record for record in found if record is not None), None)


def _read_stack(folder: str, id_bytes: int) -> list[Table]:
    """Read the tables that the list names; begin again if one was replaced meanwhile."""
    for _ in range(MAX_ATTEMPTS):
        listed = read_file(f"{folder}/tables.list")
        if listed is None:
            raise ValueError("there is no tables.list")
        names = listed.split()
        if len(names) > MAX_TABLES or any(b"/" in name for name in names):
            raise ValueError("tables.list names no plain list of files")
        tables = []
        for name in names:
            file = open_file(f"{folder}/{os.fsdecode(name)}")
            if file is None:
                break
            with file:
                tables.append(Table(_read_section(file, id_bytes)))
        if len(tables) == len(names):
            return tables
    raise ValueError("a table that tables.list names is not there")


class Section(NamedTuple):
    """The part of a table that holds references, from the file's start."""

    data: bytes
    header_size: int
    block_size: int
    id_bytes: int


def _read_section(file: IO[bytes], id_bytes: int) -> Section:
    """Check header and footer, and return what lies before the first index, object or log."""
    start = file.read(max(HEADER_SIZES.values()))
    if len(start) < HEADER.size:
        raise ValueError("too short for a reftable")
    magic, version, block_size, _, _ = HEADER.unpack_from(start)
    header_size = HEADER_SIZES.get(version)
    if magic != MAGIC or header_size is None:
        raise ValueError("not a reftable of a known version")
    # Version 1 doesn't name its object format, because it knows only one.
    if HASH_NAMES.get(start[HEADER.size : header_size] or b"sha1") != id_bytes:
        raise ValueError("the table's object format is not the repository's")
    footer_size = header_size + FOOTER_TAIL.size
    length = file.seek(0, os.SEEK_END)
    end = length - footer_size
    file.seek(max(end, 0))
    footer = file.read(footer_size)
    if end < header_size or footer[:header_size] != start[:header_size]:
        raise ValueError("the table's footer is not its header's")
    index, objects, object_index, logs, _, checksum = FOOTER_TAIL.unpack_from(footer, header_size)
    if checksum != zlib.crc32(footer[:-4]):
        raise ValueError("the table's footer is damaged")
    end = min([end, *(place for place in (index, objects >> 5, object_index, logs) if place)])
    if end > MAX_FILE_BYTES:
        raise ValueError("too many references")
    file.seek(0)
    data = file.read(end)
    return Section(data, header_size, int.from_bytes(block_size, "big"), id_bytes)


class Table:
    """One table's references. Blocks are found by their first names and taken apart on demand."""

    def __init__(self, section: Section) -> None:
        self._section = section
        self._starts: list[int] = []  # where each block's header is
        self._first_names: list[bytes] = []
        self._ends: list[int] = []  # where each block's records end
        self._find_blocks()

    def find_record(self, name: bytes) -> Record | None:
        """Return a name's record, None where this table doesn't know it."""
        block = bisect_right(self._first_names, name) - 1
        if block < 0:
            return None
        return next((one for one in self._read_block(block) if one.name == name), None)

    def find_records(self, object_id: bytes, prefix: bytes) -> Iterator[Record]:
        """Yield records that hold an object id, themselves or by way of a tag.

        Only blocks that can have names with the prefix are searched.
        """
        behind = prefix[:-1] + bytes([prefix[-1] + 1])
        last = bisect_left(self._first_names, behind) - 1
        if last < 0:
            return
        first = max(bisect_right(self._first_names, prefix) - 1, 0)
        data, stop = self._section.data, self._ends[last]
        position = data.find(object_id, self._starts[first], stop)
        while position >= 0:
            block = bisect_right(self._starts, position) - 1
            for record in self._read_block(block):
                if object_id in {record.object_id, record.peeled}:
                    yield record
            position = data.find(object_id, max(position + 1, self._ends[block]), stop)

    def _find_blocks(self) -> None:
        data, header_size, block_size, _ = self._section
        place = 0
        while True:
            header = place or header_size  # the file's header is part of the first block
            if header >= len(data) or data[header] != ord("r"):
                return
            length = int.from_bytes(data[header + 1 : header + 4], "big")
            stop = place + length
            if stop > len(data) or stop < header + 6:
                raise ValueError("a block reaches beyond the references")
            restarts = int.from_bytes(data[stop - 2 : stop], "big")
            self._starts.append(header)
            self._ends.append(stop - 2 - 3 * restarts)
            first = next(self._read_block(len(self._starts) - 1), None)
            if first is None:
                raise ValueError("a block without records")
            self._first_names.append(first.name)
            # Blocks are filled up to the block size, except in a file without alignment.
            is_padded = length < block_size and data[stop : stop + 1] == b"\0"
            place = place + block_size if is_padded else stop

    def _read_block(self, block: int) -> Iterator[Record]:
        data, id_bytes = self._section.data, self._section.id_bytes
        position, end = self._starts[block] + 4, self._ends[block]
        name = b""
        while position < end:
            shared, position = _read_varint(data, position)
            length_and_kind, position = _read_varint(data, position)
            length, kind = length_and_kind >> 3, length_and_kind & 7
            if shared > len(name) or position + length > end:
                raise ValueError("a name reaches beyond its block")
            name = name[:shared] + data[position : position + length]
            _, position = _read_varint(data, position + length)  # when it was written
            values: list[bytes | None] = [None, None, None]
            if kind in (VALUE, PEELED_VALUE):
                for number in range(kind):
                    values[number] = data[position : position + id_bytes]
                    position += id_bytes
            elif kind == SYMBOLIC:
                length, position = _read_varint(data, position)
                values[2] = data[position : position + length]
                position += length
            elif kind != DELETION:
                raise ValueError("a record of an unknown kind")
            if position > end:
                raise ValueError("a value reaches beyond its block")
            yield Record(name, *values)


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, where each further byte also adds one."""
    try:
        byte = data[position]
        value = byte & 127
        while byte & 128:
            position += 1
            byte = data[position]
            value = ((value + 1) << 7) | (byte & 127)
            if value >> 64:
                raise ValueError("a number of more than 64 bits")
    except IndexError:
        raise ValueError("a number reaches beyond the references") from None
    return value, position + 1
