"""`@whence.trace` outside of a route's decorator: the route then runs the traced function.

FastAPI's decorators keep the function they are given. With `@trace` on the outside, the route
holds the undecorated function, and nothing that `trace` returns is ever called. So `trace` leaves
a mark on the function it wraps, and if FastAPI is loaded by then (a function that a route holds
implies it), `fastapi.routing.solve_dependencies`, which every request passes before its endpoint
is called, first puts the traced function into the route's dependant. That happens once a route,
covers HTTP and WebSocket endpoints, streaming endpoints and included routers, and leaves routes
whose function has no mark alone. `import whence` does not import FastAPI.

Limit: FastAPI is told nothing about which of two uses was meant. Where a program gives an
undecorated function to a route and also wraps it elsewhere (`traced = trace(f)`), the route runs
the traced one as well.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from whence.sdk import diagnostics

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = "__whence_traced_as__"
HOOKED = "__whence_hooked__"


def mark(function: Any, wrapper: Any) -> None:
    """Remember on a function by what it is traced, for the routes that hold it undecorated."""
    try:
        wrapper.__dict__.pop(MARK, None)  # copied from the function by functools.update_wrapper
        if "fastapi.routing" in sys.modules:
            setattr(function, MARK, wrapper)
            hook()
    except Exception as error:  # noqa: BLE001 - built-ins and slots take no mark; nor is one needed
        if not isinstance(error, (AttributeError, TypeError)):
            diagnostics.caught("hooking FastAPI", error)


def hook() -> None:
    """Make FastAPI's routes honour the marks; the first call counts."""
    routing = sys.modules["fastapi.routing"]
    solve: Callable[..., Any] | None = getattr(routing, "solve_dependencies", None)
    if solve is None or getattr(solve, HOOKED, False):
        return

    async def solve_dependencies(*args: Any, **kwargs: Any) -> Any:
        dependant = kwargs.get("dependant")
        if dependant is not None:
            replace_marked(dependant)
        return await solve(*args, **kwargs)

    setattr(solve_dependencies, HOOKED, True)
    setattr(routing, "solve_dependencies", solve_dependencies)  # noqa: B010 - a module of another package


def replace_marked(dependant: Any) -> None:
    """Put the traced function where a dependant holds the one that it wraps."""
    try:
        function = dependant.call
        wrapper = getattr(function, MARK, None)
        # Other decorators copy a function's __dict__, mark included: it must be about this one.
        if wrapper is not None and getattr(wrapper, "__wrapped__", None) is function:
            dependant.call = wrapper
    except Exception as error:  # noqa: BLE001 - tracing never breaks the program
        diagnostics.caught("hooking FastAPI", error)
