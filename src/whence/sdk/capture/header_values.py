"""Text from the headers of a request, made fit to be metadata.

What a client sends is not to be trusted with control characters, and is not to fill a store.
"""

from __future__ import annotations

MAX_HEADER_CHARS = 1_000  # ids are shorter; what is longer is cut and listed in whence.truncated
# Control characters, and what turns the direction of text or breaks its lines: two ids that look
# alike are alike.
_CONTROLS = dict.fromkeys(
    (*range(32), *range(127, 160), 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
)


def tidy_value(text: str) -> str:
    """Return the text without control characters, visible or not, and outer blanks."""
    if not (text.isascii() and text.isprintable()):
        text = text.translate(_CONTROLS)
    return text.strip()


def decode_value(text: str) -> str:
    """Return a header's text, which servers read as latin-1, as the UTF-8 that it mostly is."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
