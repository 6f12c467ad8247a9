"""What the program configured, and the environment variables that stand in where it did not.

Read on the hot path, so plain module-level state: `current` is replaced field by field, never
locked. `declared` is the metadata that the program states about itself for the whole process;
`whence.sdk.context.process` sends it as resource attributes. `computed` holds the functions that
give metadata anew for every trace; `whence.sdk.capture.computed` calls them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from whence import semconv
from whence.entities.experiment_id import experiment_id_of
from whence.errors import InvalidInputError
from whence.sdk import diagnostics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from whence.sdk.context.prompts import Prompt

URL_VARIABLES = ("WHENCE_URL", "MLFLOW_TRACKING_URI")
EXPERIMENT_NAME_VARIABLES = ("WHENCE_EXPERIMENT", "MLFLOW_EXPERIMENT_NAME")
EXPERIMENT_ID_VARIABLES = ("MLFLOW_EXPERIMENT_ID",)
SAMPLING_VARIABLES = ("WHENCE_SAMPLING_RATIO", "MLFLOW_TRACE_SAMPLING_RATIO")
DESTINATION_VARIABLE = "MLFLOW_TRACING_DESTINATION"
MODEL_VARIABLE = "MLFLOW_ACTIVE_MODEL_ID"
DISABLED_VARIABLE = "WHENCE_DISABLED"
SYNCHRONOUS_VARIABLE = "WHENCE_SYNCHRONOUS"
MLFLOW_ASYNC_VARIABLE = "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"  # false: synchronous
STORE_DIFF_VARIABLE = "WHENCE_STORE_DIFF"
STORE_PROMPTS_VARIABLE = "WHENCE_STORE_PROMPTS"  # false: only their hashes
BAGGAGE_VARIABLE = "WHENCE_BAGGAGE"
TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})
DEFAULT_URL = "./.whence"

ExperimentKey = tuple[str, str]  # (id, name); the name is "" where only the id is known

declared: dict[str, str] = {}
computed: dict[str, Callable[[], Any]] = {}


@dataclass(frozen=True)
class DeclaredVersion:
    """What `whence.version(…)` said. Replaced whole; its dicts never change.

    Of a prompt it has the text, or what is known and kept of one that takes too much memory.
    """

    prompts: dict[str, str | Prompt] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)


version = DeclaredVersion()


@dataclass
class Settings:
    """The state of this process.

    `destination` (and what a context chose, if `has_context_destination`) is stronger than
    `experiment`; `active_model` is (id, name or ''), None for no model.
    With `synchronous` the end of a trace waits until it has been delivered (or spooled).
    `store_diff` asks for the text of a dirty work tree's changes, `store_prompts` for that of
    declared prompts; `baggage` names the metadata keys that W3C baggage may carry to and from other
    services.
    """

    enabled: bool = True
    url: str | None = None
    experiment: ExperimentKey | None = None
    destination: ExperimentKey | None = None
    has_context_destination: bool = False
    active_model: tuple[str, str] | None = None
    sampling_ratio: float = 1.0
    follow_parent_sampling: bool = False
    synchronous: bool = False
    store_diff: bool = False
    store_prompts: bool = True
    baggage: tuple[str, ...] = ()
    span_processors: tuple[Callable[[Any], Any], ...] = field(default=())


def from_environment(names: tuple[str, ...]) -> str | None:
    """Return the first of these variables that is set and not empty."""
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def read_environment() -> Settings:
    """Return the settings of a process that has configured nothing."""
    return Settings(
        enabled=not _is_true(DISABLED_VARIABLE),
        destination=_destination_from_environment(),
        active_model=_model_from_environment(),
        sampling_ratio=_sampling_from_environment(),
        synchronous=_is_synchronous(),
        store_diff=_is_true(STORE_DIFF_VARIABLE),
        store_prompts=not _is_false(STORE_PROMPTS_VARIABLE),
        baggage=check_baggage(os.environ.get(BAGGAGE_VARIABLE, "").split(",")),
    )


def _destination_from_environment() -> ExperimentKey | None:
    """Return the experiment that MLflow's variable names; a Databricks location has dots."""
    text = os.environ.get(DESTINATION_VARIABLE, "").strip()
    if not text:
        return None
    if not text.isdecimal():
        diagnostics.warn_once(
            "bad_settings",
            "%s must be the id of an experiment, not %r; it is ignored.",
            DESTINATION_VARIABLE,
            text,
        )
        return None
    return experiment_key(None, text)


def _model_from_environment() -> tuple[str, str] | None:
    model_id = os.environ.get(MODEL_VARIABLE)
    return (model_id, "") if model_id else None


def _is_synchronous() -> bool:
    if os.environ.get(SYNCHRONOUS_VARIABLE, "").strip():
        return _is_true(SYNCHRONOUS_VARIABLE)
    return _is_false(MLFLOW_ASYNC_VARIABLE)


def _is_true(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() in TRUE_WORDS


def _is_false(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() in FALSE_WORDS


def _sampling_from_environment() -> float:
    text = from_environment(SAMPLING_VARIABLES)
    if text is None:
        return 1.0
    try:
        return check_ratio(float(text), "the sampling ratio")
    except (ValueError, InvalidInputError):
        diagnostics.warn_once(
            "bad_settings",
            "%s must be a number from 0 to 1, not %r; every trace is recorded.",
            " or ".join(SAMPLING_VARIABLES),
            text,
        )
        return 1.0


def check_ratio(ratio: float, name: str) -> float:
    """Return the ratio, or raise `InvalidInputError` where it is not within 0 and 1."""
    if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0.0 <= ratio <= 1.0:
        raise InvalidInputError(f"{name} must be between 0.0 and 1.0, got {ratio}")
    return float(ratio)


def check_baggage(keys: Iterable[str]) -> tuple[str, ...]:
    """Return the keys without blanks and repetitions, or raise `InvalidInputError`."""
    given = [] if isinstance(keys, str) else list(keys)
    if isinstance(keys, str) or not all(isinstance(key, str) for key in given):
        raise InvalidInputError(f"`baggage` must be a list of metadata keys, but got {keys!r}.")
    return tuple(dict.fromkeys(key.strip() for key in given if key.strip()))


def experiment_key(name: str | None, experiment_id: str | None) -> ExperimentKey:
    """Return (id, name) from whichever is known."""
    if name:
        return experiment_id_of(name), name
    known = str(experiment_id)
    is_default = known == semconv.DEFAULT_EXPERIMENT_ID
    return known, semconv.DEFAULT_EXPERIMENT_NAME if is_default else ""


DEFAULT_EXPERIMENT: ExperimentKey = (
    semconv.DEFAULT_EXPERIMENT_ID,
    semconv.DEFAULT_EXPERIMENT_NAME,
)


def active_experiment() -> ExperimentKey:
    """Return (id, name) of the experiment that new traces go to."""
    if current.experiment is None:
        current.experiment = _experiment_from_environment()
    return current.experiment


def _experiment_from_environment() -> ExperimentKey:
    name = from_environment(EXPERIMENT_NAME_VARIABLES)
    experiment_id = from_environment(EXPERIMENT_ID_VARIABLES)
    if name is None and experiment_id is None:
        return DEFAULT_EXPERIMENT
    key = experiment_key(name, experiment_id)
    if experiment_id not in (None, key[0]):
        diagnostics.warn_once(
            "bad_settings",
            "MLFLOW_EXPERIMENT_ID %r is not the id of the experiment %r; traces go to the latter.",
            experiment_id,
            name,
        )
    return key


def active_url() -> str:
    """Return where traces go: what was set, else the environment, else `./.whence`."""
    return current.url or from_environment(URL_VARIABLES) or DEFAULT_URL


def reset() -> None:
    """Go back to what the environment says."""
    global version  # noqa: PLW0603 - process-wide by nature
    fresh = read_environment()
    for name, value in vars(fresh).items():
        setattr(current, name, value)
    declared.clear()
    computed.clear()
    version = DeclaredVersion()


current = read_environment()
