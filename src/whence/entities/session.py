"""The traces of one conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from whence.entities.trace import Trace


class Session:
    """The traces that share a session id, the oldest first. Iterable, sized and indexable."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        self._traces = list(traces)

    @property
    def id(self) -> str | None:
        """The session's id, or None where there is no trace."""
        return self._traces[0].info.session if self._traces else None

    @property
    def traces(self) -> list[Trace]:
        """The traces (a copy of the list)."""
        return list(self._traces)

    def __len__(self) -> int:
        return len(self._traces)

    def __iter__(self) -> Iterator[Trace]:
        return iter(self._traces)

    @overload
    def __getitem__(self, index: int) -> Trace: ...

    @overload
    def __getitem__(self, index: slice) -> list[Trace]: ...

    def __getitem__(self, index: int | slice) -> Trace | list[Trace]:
        return self._traces[index]

    def __repr__(self) -> str:
        return f"Session(id={self.id!r})"
