"""Margins as commands take them: `NAME=NUMBER`, repeated."""

from __future__ import annotations

from whence.errors import InvalidInputError


def read_margins(given: list[str] | None) -> dict[str, float] | None:
    """Return the margins by name; None for none. Raises InvalidInputError."""
    margins = {}
    for pair in given or ():
        name, equals, value = pair.partition("=")
        try:
            margins[name.strip()] = float(value if equals else "nothing")
        except ValueError:
            raise InvalidInputError(
                f"the margin {pair!r} can't be read; write NAME=NUMBER, such as duration=0.2"
            ) from None
    return margins or None
