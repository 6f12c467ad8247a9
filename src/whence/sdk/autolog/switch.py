"""`whence.autolog()` and `whence.<library>.autolog()`: recording the calls of GenAI libraries.

An instrumentor is found by its distribution among the entry points `opentelemetry_instrumentor`,
and given our tracer provider, so that its spans nest with ours in both directions; the global
provider of OpenTelemetry is left alone. What it records of models, messages, tokens and cost lands
in the same fields as everything else. It is switched on once in a process; a second call does
nothing.

Of MLflow's arguments `disable`, `exclude_flavors`, `log_traces` and `silent` mean something; those
that speak of models and datasets are accepted and ignored.
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from whence.errors import MissingPackageError
from whence.sdk import diagnostics
from whence.sdk.autolog.flavors import FLAVORS, PREFIX, QUIET, Flavor
from whence.sdk.capture.tracer import provider

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint

GROUP = "opentelemetry_instrumentor"

_instrumentors: dict[str, Any] = {}  # by distribution: what we switched on


def autolog(
    log_input_examples: bool = False,
    log_model_signatures: bool = True,
    log_models: bool = True,
    log_datasets: bool = True,
    log_traces: bool = True,
    disable: bool = False,
    exclusive: bool = False,
    disable_for_unsupported_versions: bool = False,
    silent: bool = False,
    extra_tags: dict[str, str] | None = None,
    exclude_flavors: Iterable[str] | None = None,
) -> None:
    """Record the calls of every GenAI library that is installed together with its instrumentor.

    A library without its instrumentor is named in the log with what to install, unless `silent`.
    `disable=True` stops recording again. Never raises for what is missing.
    """
    del log_input_examples, log_model_signatures, log_models, log_datasets
    del exclusive, disable_for_unsupported_versions, extra_tags
    found = _find_instrumentors()
    if disable or not log_traces:
        for distribution in list(_instrumentors):
            _switch_off(distribution)
        return
    excluded = {FLAVORS[name].distribution for name in exclude_flavors or () if name in FLAVORS}
    for distribution, entry in found.items():
        if distribution.startswith(PREFIX) and distribution not in excluded:
            problem = _switch_on(distribution, entry)
            if problem is not None and not silent:
                diagnostics.logger.warning("%s", problem)
    if not silent:
        _name_missing(found, excluded)


def autolog_flavor(name: str, *, log_traces: bool, disable: bool, silent: bool) -> None:
    """Record the calls of one library, or stop doing so.

    Raises `MissingPackageError` where the library or its instrumentor is not installed, unless
    `silent`.
    """
    flavor = FLAVORS[name]
    if disable or not log_traces:
        _switch_off(flavor.distribution)
        return
    problem = _describe_missing(name, flavor)
    entry = _find_instrumentors().get(flavor.distribution)
    if problem is None and entry is not None:
        problem = _switch_on(flavor.distribution, entry)
    elif problem is None:
        problem = (
            f"whence.{name}.autolog() needs the package {flavor.distribution}: "
            f"pip install {flavor.distribution}"
        )
    if problem is None:
        return
    if not silent:
        raise MissingPackageError(problem)
    diagnostics.logger.debug("%s", problem)


def _find_instrumentors() -> dict[str, EntryPoint]:
    found = {}
    for entry in entry_points(group=GROUP):
        if entry.dist is not None:
            found[entry.dist.name.lower().replace("_", "-")] = entry
    return found


def _switch_on(distribution: str, entry: EntryPoint) -> str | None:
    """Switch an instrumentor on; return why it could not be."""
    if distribution in _instrumentors:
        return None
    try:
        instrumentor = entry.load()()
        if getattr(instrumentor, "is_instrumented_by_opentelemetry", False):
            return f"{distribution} was switched on before, with another tracer provider."
        instrumentor.instrument(tracer_provider=provider)
    except Exception as error:  # noqa: BLE001 - another package's code
        return f"{distribution} could not be switched on: {type(error).__name__}: {error}"
    if not getattr(instrumentor, "is_instrumented_by_opentelemetry", True):
        return f"{distribution} does not support the installed version of its library."
    _instrumentors[distribution] = instrumentor
    return None


def _switch_off(distribution: str) -> None:
    instrumentor = _instrumentors.pop(distribution, None)
    if instrumentor is None:
        return
    try:
        instrumentor.uninstrument()
    except Exception as error:  # noqa: BLE001 - another package's code
        diagnostics.caught(f"switching off {distribution}", error)


def _name_missing(found: dict[str, EntryPoint], excluded: set[str]) -> None:
    for name, flavor in FLAVORS.items():
        left_alone = name in QUIET or flavor.distribution in found
        if left_alone or flavor.distribution in excluded or _describe_missing(name, flavor):
            continue
        diagnostics.logger.warning(
            "%s is installed, but not what records it: pip install %s",
            flavor.modules[0],
            flavor.distribution,
        )


def _describe_missing(name: str, flavor: Flavor) -> str | None:
    """Return that a library is not installed, or None where it is."""
    if any(_is_installed(module) for module in flavor.modules):
        return None
    return (
        f"whence.{name}.autolog() needs {flavor.modules[0]}, which is not installed "
        f"(and {flavor.distribution} to record it)."
    )


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a parent package is not there, or half loaded
        return False
