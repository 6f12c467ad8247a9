"""The slow part of the process's context, resolved in a thread of its own beside the exporter.

Some facts take long: whether the work tree differs from its commit, the nearest tag. A trace that
ends before they are known should carry them all the same, so the exporter keeps its root back
while `is_awaited()`: until the facts are there, `LIMIT_S` are over, the process is about to end
(`hasten`) or the held roots take too much room (`give_up`).

The thread starts with the exporter's and waits there: an interpreter that is shutting down lets
nobody start one (Python 3.12). A program that ends at once may still be quicker; `is_lost` then.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from whence.sdk import diagnostics
from whence.sdk.delivery.bell import Bell

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_S = 10.0
IDLE_S = 3600.0


class _Order:
    """What a waiting thread is told: to resolve the context, or that nothing is to be done."""

    __slots__ = ("bell", "is_given")

    def __init__(self) -> None:
        self.bell = Bell()
        self.is_given = False


class LateContext:
    """Owns the thread `whence-context`. Only the exporter calls `start` and `begin`.

    `refresh` is called when the context is complete, before `is_running` ends; then `bell` rings.
    """

    def __init__(
        self,
        is_settled: Callable[[], bool],
        resolve: Callable[[], object],
        refresh: Callable[[], None],
        bell: Bell,
    ) -> None:
        self.is_running = False
        self.is_lost = False  # no thread could be started, so nobody will ever know
        self._is_settled = is_settled
        self._resolve = resolve
        self._refresh = refresh
        self._bell = bell
        self._order: _Order | None = None  # of the thread that waits
        self._began_s = self._until_s = float("-inf")
        self._latest_s = float("inf")

    def start(self) -> None:
        """Have a thread wait."""
        if self._order is None:
            order = _Order()
            try:
                threading.Thread(
                    target=self._run, args=(order,), name="whence-context", daemon=True
                ).start()
            except RuntimeError:  # the interpreter is going down
                return
            self._order = order

    def begin(self) -> bool:
        """Resolve what is missing, if anything is; False where that is under way already.

        The waiting thread ends in either case.
        """
        if self.is_running:
            return False
        is_needed = False
        try:
            is_needed = not self._is_settled()
        except Exception as error:  # noqa: BLE001 - spans go without it
            diagnostics.caught("asking for the rest of the process's context", error)
        if is_needed:
            self.start()
        order, self._order = self._order, None
        self.is_lost = is_needed and order is None
        if order is not None:
            if is_needed:
                self._began_s = time.monotonic()
                self._until_s = min(self._began_s + LIMIT_S, self._latest_s)
                self.is_running = order.is_given = True
            order.bell.ring()
        return True

    def is_awaited(self) -> bool:
        """Say whether roots should wait."""
        return self.is_running and time.monotonic() < self._until_s

    def age_s(self) -> float:
        """Return for how long it is being resolved."""
        return time.monotonic() - self._began_s

    def left_s(self) -> float:
        """Return for how long roots may still have to wait."""
        return self._until_s - time.monotonic()

    def hasten(self, patience_s: float) -> None:
        """Let nobody wait for longer than that from now on."""
        self._latest_s = time.monotonic() + patience_s
        self._until_s = min(self._until_s, self._latest_s)

    def give_up(self) -> None:
        """Let nobody wait."""
        self._until_s = float("-inf")

    def _run(self, order: _Order) -> None:
        while not order.bell.wait(IDLE_S):
            pass
        if not order.is_given:
            return
        try:
            self._resolve()
        except Exception as error:  # noqa: BLE001 - nothing may reach the program
            diagnostics.caught("resolving the rest of the process's context", error)
        finally:
            self._refresh()
            self.is_running = False
            self._bell.ring()
