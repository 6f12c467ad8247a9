"""Bodies of responses that are generated after the application returned, in the request's context.

What a body's own code makes current stays so between its steps, and its consumer sees none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whence.sdk.capture.generators import Steps

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from whence.sdk.capture import keys


class Body:
    """An iterable body. `close` closes the one inside, if it can be closed."""

    def __init__(self, body: Iterable[Any], inside: keys.Context) -> None:
        self._body = body
        self._steps = Steps(inside)
        self._iterator: Iterator[Any] | None = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        self._steps.enter()
        try:
            if self._iterator is None:
                self._iterator = iter(self._body)
            return next(self._iterator)
        finally:
            self._steps.leave()

    def close(self) -> None:
        """Say that nothing more is wanted."""
        close = getattr(self._body, "close", None)
        if close is not None:
            self.hold(close)()

    def hold(self, close: Callable[[], None]) -> Callable[[], None]:
        """Return a function that closes what lies behind the body, in the body's context."""

        def close_inside() -> None:
            self._steps.enter()
            try:
                close()
            finally:
                self._steps.leave()

        return close_inside


class AsyncBody:
    """The same for an async iterator."""

    def __init__(self, body: AsyncIterator[Any], inside: keys.Context) -> None:
        self._body = body
        self._steps = Steps(inside)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        self._steps.enter()
        try:
            return await self._body.__anext__()
        finally:
            self._steps.leave()
