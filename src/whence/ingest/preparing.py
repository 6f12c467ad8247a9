"""A process that prepares requests for the server: bodies in on stdin, prepared requests out.

`main` is called by the command that `processes` starts, with the names of the fields that the
server knows: the process ends at once where this code has others, as after an upgrade in place.

It keeps nothing between requests, and ends when nobody is left to ask: that is how it learns that
the server has gone, however that ended. The signals that tell the server to stop are not for it,
because the server still answers what it accepted.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress

import msgspec

from whence.errors import WhenceError
from whence.ingest.parcel import (
    FAILED,
    OTHER_FORM,
    PREPARED,
    REFUSED,
    Buffer,
    name_form,
    pack,
    read_frame,
    write_frame,
)
from whence.ingest.prepare import Envelope, read_body

YOUNG_OBJECTS = 50_000  # requests make containers without cycles: the collector looks rarely
GENERATIONS = 20
NICENESS = 5  # whoever asks something or sends little comes first, and this still gets its share

_envelopes = msgspec.msgpack.Decoder(Envelope)


def main(form: str) -> None:
    """Answer one request after the other, for a server of the same `name_form`."""
    if form != name_form():
        sys.exit(OTHER_FORM)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever is printed must not get between the frames
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, GENERATIONS, GENERATIONS)
    with suppress(EOFError, BrokenPipeError):
        while True:
            _, envelope, body = read_frame(0)
            write_frame(answers, *answer(envelope, body))


def answer(envelope: Buffer, body: Buffer) -> tuple[int, Buffer, Buffer]:
    """Return what a request becomes: its kind, and the two parts of its frame."""
    try:
        return PREPARED, *pack(*read_body(bytes(body), _envelopes.decode(envelope)))
    except WhenceError as error:
        return REFUSED, type(error).__name__.encode(), error.message.encode(errors="replace")
    except Exception as error:  # noqa: BLE001 - the server tries for itself, and sees what it is
        return FAILED, repr(error).encode(errors="replace"), b""
