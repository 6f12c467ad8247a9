"""What `whence.openai` and its like are: a name with `autolog`, as MLflow's modules are."""

from __future__ import annotations

from typing import Any


class Library:
    """A GenAI library whose calls can be recorded."""

    def __init__(self, name: str) -> None:
        self.__name__ = f"whence.{name}"
        self._name = name

    def autolog(
        self, *, log_traces: bool = True, disable: bool = False, silent: bool = False, **more: Any
    ) -> None:
        """Record the library's calls from now on; `disable=True` stops it.

        `more` are arguments of MLflow's that speak of models and datasets, which are ignored.
        Raises `MissingPackageError`, which names what to install, unless `silent`.
        """
        del more
        from whence.sdk.autolog.switch import autolog_flavor

        autolog_flavor(self._name, log_traces=log_traces, disable=disable, silent=silent)

    def __repr__(self) -> str:
        return f"<{self.__name__}: autolog()>"
