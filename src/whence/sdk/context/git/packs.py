"""Look an object up in a pack, as git's technical documentation of packs lays down.

An index (version 2) leads from an object id to a place in the pack; there is the object itself,
deflated, or how it differs from another one (a delta). Numbers are big-endian.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_left
from typing import IO, NamedTuple

from whence.sdk.context.git.files import open_file

MAX_OBJECT_BYTES = 1 << 20
MAX_DELTA_STEPS = 60
INDEX_MAGIC = b"\xfftOc\0\0\0\x02"
FANOUT = struct.Struct(">256I")
NUMBER = struct.Struct(">I")
LONG_NUMBER = struct.Struct(">Q")
COMMIT, TAG, OFFSET_DELTA, ID_DELTA = 1, 4, 6, 7
READ_BYTES = 4096  # enough for an object's header and for most tags


class Stored(NamedTuple):
    """What stands at a place in a pack; `base` is the place of what a delta starts from."""

    kind: int
    size: int
    content: int
    base: int | None = None


class Pack:
    """One pack and its index. Owns both files: close it."""

    def __init__(self, index: IO[bytes], path: str, id_bytes: int) -> None:
        self._index = index
        self._path = path
        self._pack: IO[bytes] | None = None
        self._id_bytes = id_bytes
        self._fanout: tuple[int, ...] = ()
        start = index.read(len(INDEX_MAGIC) + FANOUT.size)
        if start.startswith(INDEX_MAGIC) and len(start) == len(INDEX_MAGIC) + FANOUT.size:
            self._fanout = FANOUT.unpack_from(start, len(INDEX_MAGIC))

    def close(self) -> None:
        """Close both files."""
        self._index.close()
        if self._pack is not None:
            self._pack.close()

    def read(self, object_id: bytes, kind: int) -> bytes | None:
        """Return an object's text, b'' if it is of another kind, None if it is not in this pack."""
        place = self._find(object_id)
        if place is None:
            return None
        if self._pack is None:
            self._pack = open_file(self._path)
            if self._pack is None:
                return None
        deltas: list[Stored] = []
        for _ in range(MAX_DELTA_STEPS):
            stored = self._read_header(place)
            if stored.base is None:
                break
            deltas.append(stored)
            place = stored.base
        if stored.kind != kind:
            return b""
        data = self._inflate(stored)
        for delta in reversed(deltas):
            data = _apply_delta(data, self._inflate(delta))
        return data

    def _find(self, object_id: bytes) -> int | None:
        if not self._fanout:
            return None
        first = self._fanout[object_id[0] - 1] if object_id[0] else 0
        count = self._fanout[object_id[0]] - first
        ids_start = len(INDEX_MAGIC) + FANOUT.size
        total, width = self._fanout[255], self._id_bytes

        def read_id(number: int) -> bytes:
            return self._read_index(ids_start + (first + number) * width, width)

        number = bisect_left(range(count), object_id, key=read_id)
        if number == count or read_id(number) != object_id:
            return None
        places_start = ids_start + total * (width + NUMBER.size)  # behind the checksums
        raw = self._read_index(places_start + (first + number) * NUMBER.size, NUMBER.size)
        place: int = NUMBER.unpack(raw)[0]
        if place >> 31:  # packs of more than 2 GiB: the place is in a further list
            long_start = places_start + total * NUMBER.size
            raw = self._read_index(long_start + (place & 0x7FFFFFFF) * 8, LONG_NUMBER.size)
            place = LONG_NUMBER.unpack(raw)[0]
        return place

    def _read_index(self, place: int, length: int) -> bytes:
        self._index.seek(place)
        data = self._index.read(length)
        if len(data) != length:
            raise ValueError("the index of a pack is cut off")
        return data

    def _read_pack(self, place: int, length: int) -> bytes:
        if self._pack is None or place <= 0:
            raise ValueError("no such place in the pack")
        self._pack.seek(place)
        return self._pack.read(length)

    def _read_header(self, place: int) -> Stored:
        data = self._read_pack(place, 64)
        try:
            byte, position = data[0], 1
            kind, size, shift = (byte >> 4) & 7, byte & 15, 4
            while byte & 128:
                byte = data[position]
                size |= (byte & 127) << shift
                position, shift = position + 1, shift + 7
            base = None
            if kind == OFFSET_DELTA:
                byte = data[position]
                back = byte & 127
                while byte & 128:
                    position += 1
                    byte = data[position]
                    back = ((back + 1) << 7) | (byte & 127)
                position += 1
                base = place - back
        except IndexError:
            raise ValueError("an object's header is cut off") from None
        if kind == ID_DELTA:
            base = self._find(data[position : position + self._id_bytes])
            position += self._id_bytes
            if base is None:
                raise ValueError("what a delta starts from is not in the pack")
        return Stored(kind, size, place + position, base)

    def _inflate(self, stored: Stored) -> bytes:
        if stored.size > MAX_OBJECT_BYTES:
            raise ValueError("too large for a tag or a commit")
        stream = zlib.decompressobj()
        data = bytearray()
        place = stored.content
        while len(data) < stored.size:
            piece = self._read_pack(place, READ_BYTES)
            if not piece or stream.eof:
                raise ValueError("an object is cut off")
            data += stream.decompress(piece, stored.size - len(data))
            place += READ_BYTES
        return bytes(data)


def _apply_delta(base: bytes, delta: bytes) -> bytes:
    """Build an object from another one and the copies and insertions that a delta lists."""
    try:
        size, position = _read_size(delta, 0)
        target_size, position = _read_size(delta, position)
        if size != len(base) or target_size > MAX_OBJECT_BYTES:
            raise ValueError("a delta for another object")
        result = bytearray()
        while position < len(delta):
            operation = delta[position]
            position += 1
            if not operation & 128:
                result += delta[position : position + operation]
                position += operation
                continue
            numbers = 0
            for bit in range(7):  # four bytes of a place, three of a length; zeros are left out
                if operation >> bit & 1:
                    numbers |= delta[position] << (8 * bit)
                    position += 1
            start, length = numbers & 0xFFFFFFFF, numbers >> 32 or 0x10000
            result += base[start : start + length]
    except IndexError:
        raise ValueError("a delta is cut off") from None
    if len(result) != target_size:
        raise ValueError("a delta makes an object of another size")
    return bytes(result)


def _read_size(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            return value, position
