"""A page of results that knows how to ask for the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

Item = TypeVar("Item")


class PagedList(list[Item]):
    """A list with a `token` for the next page, None on the last one."""

    def __init__(self, items: Iterable[Item], token: str | None = None) -> None:
        super().__init__(items)
        self.token = token
