"""`whence.configure(...)`: all that a program may say about itself and its tracing, in one call."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from whence import semconv
from whence.errors import InvalidInputError
from whence.sdk import runtime, settings
from whence.sdk.capture.computed import split_metadata
from whence.sdk.capture.current import set_experiment
from whence.sdk.capture.processors import check_processors
from whence.sdk.capture.trace_metadata import check_mapping, clean
from whence.sdk.delivery.signals import watch_sigterm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    Value = str | Callable[[], str | None] | None


def configure(
    *,
    environment: Value = None,
    app_version: Value = None,
    deployment_id: Value = None,
    region: Value = None,
    metadata: Mapping[str, Any] | None = None,
    url: str | os.PathLike[str] | None = None,
    experiment: str | None = None,
    otel: bool = False,
    span_processors: Iterable[Callable[[Any], None]] | None = None,
    sampling_ratio: float | None = None,
    follow_parent_sampling: bool | None = None,
    store_diff: bool | None = None,
    store_prompts: bool | None = None,
    baggage: Iterable[str] | None = None,
) -> None:
    """Say which environment and version this process is, and how it traces.

    What is not given stays as it was; every part has an environment variable too. `environment`,
    `app_version`, `deployment_id`, `region` and `metadata` hold for every trace of the process;
    `whence.update_current_trace` overrides them for one trace. A function in place of such a value
    is called at the start of every trace, in the thread that starts it; None leaves the key out,
    and so does an exception, which is counted. `url` is a server or the path of a local store.
    `otel=True` makes Whence OpenTelemetry's global tracer provider. `span_processors` are functions
    that may change every span before it leaves (`[]` removes them). `sampling_ratio`, 0.0 to 1.0,
    is the share of new traces to record. Spans under a parent from elsewhere that is not sampled
    are recorded unless `follow_parent_sampling` is true. `store_diff=True` keeps the text of what
    differs from the commit, secrets masked; `store_prompts=False` only hashes of declared prompts.
    `baggage` names the metadata keys that may travel to and from other services (`[]`: none).

    >>> import whence
    >>> whence.configure(environment="staging", app_version="2.1.0")
    """
    named = {
        semconv.ENVIRONMENT: environment,
        semconv.APP_VERSION: app_version,
        semconv.DEPLOYMENT_ID: deployment_id,
        semconv.REGION: region,
    }
    watch_sigterm()  # the first span may start in another thread than the main one
    given = {key: value for key, value in named.items() if value is not None}
    fixed, computed = split_metadata({**check_mapping(metadata, "metadata"), **given})
    switches = check_switches(
        follow_parent_sampling=follow_parent_sampling,
        sampling_ratio=sampling_ratio,
        span_processors=span_processors,
        store_diff=store_diff,
        store_prompts=store_prompts,
        baggage=baggage,
    )
    if url is not None:
        set_tracking_uri(url)
    if experiment is not None:
        set_experiment(experiment)
    apply_switches(switches)
    declare(fixed)
    compute(computed)
    if otel:
        _become_global()


def _become_global() -> None:
    from whence.sdk.capture.tracer import become_global

    become_global()


def check_switches(**given: Any) -> dict[str, Any]:
    """Return the settings that were given, checked. Raises `InvalidInputError`."""
    checks: dict[str, Callable[[Any], Any]] = {
        "sampling_ratio": lambda value: settings.check_ratio(value, "sampling_ratio"),
        "span_processors": lambda value: check_processors(list(value)),
        "baggage": settings.check_baggage,
    }
    checked = {}
    for name, value in given.items():
        if value is not None:
            check = checks.get(name)
            checked[name] = check_flag(value, name) if check is None else check(value)
    return checked


def apply_switches(checked: Mapping[str, Any]) -> None:
    """Change the settings of these names."""
    for name, value in checked.items():
        setattr(settings.current, name, value)
    if settings.current.baggage:
        from whence.sdk.capture import baggage as _  # noqa: F401 - so that no trace waits for it


def compute(given: Mapping[str, Callable[[], Any]]) -> None:
    """Add to the metadata that is computed for every trace; it replaces what was declared."""
    if given:
        settings.computed.update(given)
        for key in given:
            settings.declared.pop(key, None)
        _tell_pipeline()


def declare(given: Mapping[str, Any]) -> None:
    """Add to the metadata that holds for every trace of this process."""
    if given:
        entries = clean(given, "metadata")[0]
        settings.declared.update(entries)
        for key in entries:
            settings.computed.pop(key, None)
        _tell_pipeline()


def _tell_pipeline() -> None:
    pipeline = runtime.running_pipeline()
    if pipeline is not None:
        pipeline.invalidate_resource()


def set_tracking_uri(uri: str | os.PathLike[str]) -> None:
    """Send traces to a server (`http://…`) or into a local store (a path) from now on."""
    from whence.sdk.delivery.destination import parse_destination

    destination = parse_destination(uri)
    settings.current.url = os.fspath(uri)
    pipeline = runtime.running_pipeline()
    if pipeline is not None:
        pipeline.set_destination(destination)


def get_tracking_uri() -> str:
    """Return where traces go: what was set, else the environment's word, else `./.whence`."""
    return settings.active_url()


def is_tracking_uri_set() -> bool:
    """Return whether the program or the environment said where traces go."""
    return bool(settings.current.url or settings.from_environment(settings.URL_VARIABLES))


class ProcessorScope:
    """The span processors just set; as a context manager it restores the former ones at its end."""

    def __init__(self, before: tuple[Callable[[Any], Any], ...]) -> None:
        self._before = before

    def __enter__(self) -> None:
        """Keep the processors that were set."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        settings.current.span_processors = self._before


def configure_processors(
    span_processors: list[Callable[[Any], None]] | None = None,
) -> ProcessorScope:
    """Set the functions that see, and may change, every span just before it ends.

    None or [] removes them. Use the result as a context manager to restore the former ones.
    What is not a function raises `InvalidInputError` at once. A processor that raises is skipped,
    and the inputs and outputs of that span are withheld.
    """
    checked = check_processors(span_processors)
    before = settings.current.span_processors
    settings.current.span_processors = checked
    return ProcessorScope(before)


def check_flag(value: Any, name: str) -> bool | None:
    """Return True, False or None, or raise `InvalidInputError`."""
    if value is None or isinstance(value, bool):
        return value
    raise InvalidInputError(f"`{name}` must be True, False or None, but got {value!r}.")
