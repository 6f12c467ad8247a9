"""The arguments of a call as one dict by parameter name, defaults applied.

The parameters are read once, when a function is decorated; a call then needs no
`inspect.Signature.bind`, which alone would cost more than the rest of a span. `*args` is a list
and `**kwargs` a dict under their own names; `self` is left out, and a first parameter `cls` if
its value is a type.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

EMPTY = inspect.Parameter.empty


class Arguments:
    """How to name the arguments of one function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.is_known = True
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):  # some built-ins have no signature
            self.is_known = False
            parameters = []
        self.positional = tuple(
            p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        )
        self.positional_only = frozenset(p.name for p in parameters if p.kind is p.POSITIONAL_ONLY)
        self.by_keyword = frozenset(
            p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        )
        self.rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)
        self.keywords = next((p.name for p in parameters if p.kind is p.VAR_KEYWORD), None)
        self.defaults = {p.name: p.default for p in parameters if p.default is not EMPTY}
        named = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        self.order = tuple(p.name for p in parameters)
        self.named_count = len(named)
        self.has_self = "self" in named
        self.has_class = bool(parameters) and parameters[0].name == "cls"
        self.is_simple = (
            self.rest is None and self.keywords is None and not self.has_self and not self.has_class
        )
        self.count = len(self.positional)
        # For a call with so many positional arguments: the defaults of the others; None: it does
        # not fit.
        self.tails = [self._tail(given) for given in range(self.count + 1)]

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any] | None:
        """Return the named arguments, or None where the call does not fit the function."""
        if self.is_simple and not kwargs and len(args) <= self.named_count == self.count:
            tail = self.tails[len(args)]
            if tail is None:
                return None
            given = dict(zip(self.positional, args, strict=False))
            given.update(tail)
            return given
        if not self.is_known:
            return {"args": list(args), "kwargs": kwargs}
        return self._bind(args, kwargs)

    def _tail(self, given: int) -> dict[str, Any] | None:
        others = self.positional[given:]
        if any(name not in self.defaults for name in others):
            return None
        return {name: self.defaults[name] for name in others}

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any] | None:
        if len(args) > self.count and self.rest is None:
            return None
        given = dict(zip(self.positional, args, strict=False))
        others = {}
        for name, value in kwargs.items():
            if name in self.by_keyword and name not in given:
                given[name] = value
            elif name in self.by_keyword or self.keywords is None:
                return None
            else:
                others[name] = value
        if len(given) < self.named_count:
            given = {**self.defaults, **given}
            if len(given) < self.named_count:
                return None
        if self.rest is not None:
            given[self.rest] = list(args[self.count :])
        if self.keywords is not None:
            given[self.keywords] = others
        return self._in_order(given)

    def _in_order(self, given: dict[str, Any]) -> dict[str, Any]:
        if self.has_self:
            del given["self"]
        if self.has_class and isinstance(given.get("cls"), type):
            del given["cls"]
        return {name: given[name] for name in self.order if name in given}
