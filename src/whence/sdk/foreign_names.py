"""What `whence.<name>` is for names that Whence does not have itself: MLflow's.

A name of a GenAI library gives its `autolog`; one that is left out on purpose says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.left_out import describe_absence
from whence.sdk.autolog.flavors import ELSEWHERE, FLAVORS

if TYPE_CHECKING:
    from whence.sdk.autolog.library import Library


def find(name: str) -> Library:
    """Return what records a library of this name, or raise `AttributeError`."""
    if name in FLAVORS:
        from whence.sdk.autolog.library import Library

        return Library(name)
    if name in ELSEWHERE:
        raise AttributeError(f"module 'whence' has no attribute {name!r}; {ELSEWHERE[name]}")
    raise AttributeError("module " + describe_absence("whence", name))
