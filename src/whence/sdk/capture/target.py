"""Where new traces go, and which model they are of: said once, for the process or the context.

An experiment is, in this order, what `trace_destination` or `experiment_id` names for one trace,
what `set_destination` chose for this context, then for the process (or `MLFLOW_TRACING_DESTINATION`
did), and the active experiment.
"""

from __future__ import annotations

from contextvars import ContextVar
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from whence import semconv
from whence.entities.experiment import MlflowExperimentLocation, TraceLocation
from whence.errors import InvalidInputError
from whence.sdk import settings

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from whence.sdk.settings import ExperimentKey

MODEL_SOURCE = "set_active_model()"

_of_context: ContextVar[ExperimentKey | None] = ContextVar("whence_destination", default=None)


def set_destination(destination: Any, *, context_local: bool = False) -> None:
    """Choose an experiment for the process, or for this context; see `whence.tracing`."""
    key = None if destination is None else _read_location(destination)
    if context_local:
        _of_context.set(key)
        settings.current.has_context_destination = True
    else:
        settings.current.destination = key


def _read_location(destination: Any) -> ExperimentKey:
    inner = destination
    if isinstance(destination, TraceLocation):
        inner = destination.mlflow_experiment
    if isinstance(inner, MlflowExperimentLocation):
        return settings.experiment_key(None, str(inner.experiment_id))
    raise InvalidInputError(
        f"Invalid destination type: {type(destination)}. Whence keeps traces in experiments; "
        "give an instance of MlflowExperimentLocation or TraceLocation."
    )


def find_destination() -> ExperimentKey | None:
    """Return the experiment that `set_destination` chose, or None."""
    if settings.current.has_context_destination:
        key = _of_context.get()
        if key is not None:
            return key
    return settings.current.destination


class ActiveModel:
    """The model that new traces are of; as a context manager it takes itself back at the end."""

    def __init__(self, model_id: str, name: str | None, before: tuple[str, str] | None) -> None:
        self.model_id = model_id
        self.name = name
        self._before = before

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        settings.current.active_model = self._before

    def __repr__(self) -> str:
        return f"ActiveModel(model_id={self.model_id!r}, name={self.name!r})"


def set_active_model(*, name: str | None = None, model_id: str | None = None) -> ActiveModel:
    """Give the traces that start from now on the metadata `mlflow.modelId`.

    Whence has no registry of models: nothing is looked up or created. With a `name` the id follows
    from it (the same everywhere), and the name is kept as the metadata `whence.model_name`.

    >>> import whence
    >>> with whence.set_active_model(name="support-bot") as model:
    ...     whence.get_active_model_id() == model.model_id
    True
    """
    given = name if model_id is None else model_id
    if given is None:
        raise InvalidInputError("Either name or model_id must be provided")
    if not isinstance(given, str) or not given:
        raise InvalidInputError(f"A model is named by a non-empty string, not {given!r}.")
    before = settings.current.active_model
    found = model_id or f"m-{blake2b(given.encode(errors='replace'), digest_size=16).hexdigest()}"
    settings.current.active_model = (found, name or "")
    return ActiveModel(found, name, before)


def clear_active_model() -> None:
    """Give new traces no model."""
    settings.current.active_model = None


def get_active_model_id() -> str | None:
    """Return the id of the model that new traces are of, or None."""
    found = settings.current.active_model
    return None if found is None else found[0]


def model_metadata() -> dict[str, str]:
    """Return what the active model gives to a trace."""
    model_id, name = settings.current.active_model or ("", "")
    stated = {semconv.MODEL_ID: model_id, semconv.MODEL_NAME: name}
    return {key: value for key, value in stated.items() if value}
