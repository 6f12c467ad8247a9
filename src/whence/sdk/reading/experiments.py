"""Experiments, read and made over HTTP, under MLflow's names.

An experiment's id follows from its name, and the server makes it known with its first trace, so a
program that only records needs none of this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whence.entities.experiment import Experiment
from whence.errors import AlreadyExistsError, InvalidInputError, NotFoundError
from whence.sdk import settings
from whence.sdk.reading.client import Client, current_client
from whence.sdk.reading.http import path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ACTIVE_ONLY, DELETED_ONLY, ALL = 1, 2, 3  # MLflow's `ViewType`
VIEWS = {ACTIVE_ONLY: "active", DELETED_ONLY: "deleted", ALL: "all"}


class Experiments:
    """Reads and changes experiments. `find_client` says whom to ask at each call."""

    def __init__(self, find_client: Callable[[], Client]) -> None:
        self._find_client = find_client

    def create(
        self, name: str, tags: Mapping[str, Any] | None = None, artifact_location: Any = None
    ) -> str:
        """Make an experiment; return its id."""
        if artifact_location is not None:
            raise InvalidInputError("Whence keeps all in its store: leave `artifact_location` out.")
        _check_name(name)
        client = self._caught_up()
        if any(one.name == name for one in client.search_experiments()):
            raise AlreadyExistsError(f"Experiment '{name}' already exists.")
        made = Experiment.from_dict(client.call("POST", "/experiments", body={"name": name}))
        for key, value in (tags or {}).items():
            self.set_tag(made.experiment_id, key, value)
        return made.experiment_id

    def get(self, experiment_id: str) -> Experiment:
        """Return an experiment, a deleted one too."""
        wanted = str(experiment_id)
        for one in self._caught_up().search_experiments():
            if one.experiment_id == wanted:
                return one
        raise NotFoundError(f"No Experiment with id={wanted} exists")

    def find(self, name: str) -> Experiment | None:
        """Return the experiment of this name, a deleted one too, or None."""
        _check_name(name)
        experiments = self._caught_up().search_experiments()
        return next((one for one in experiments if one.name == name), None)

    def search(
        self,
        view_type: int = ACTIVE_ONLY,
        filter_string: str | None = None,
        order_by: list[str] | None = None,
    ) -> list[Experiment]:
        """Return the experiments that a filter finds."""
        view = VIEWS.get(int(view_type))
        if view is None:
            raise InvalidInputError(f"`view_type` is 1, 2 or 3, not {view_type!r}.")
        client = self._caught_up()
        if not filter_string and not order_by:
            return [
                one for one in client.search_experiments() if view in ("all", one.lifecycle_stage)
            ]
        body = {"filter_string": filter_string or "", "order_by": order_by or [], "view": view}
        answer = client.call("POST", "/experiments/search", body=body)
        return [Experiment.from_dict(one) for one in answer["experiments"]]

    def set_tag(self, experiment_id: str, key: str, value: Any) -> None:
        """Set a tag of an experiment."""
        path = "/experiments" + path_of(str(experiment_id), "tags", str(key))
        text = value if isinstance(value, str) else str(value)
        self._caught_up().call("PUT", path, body={"value": text})

    def delete_tag(self, experiment_id: str, key: str) -> None:
        """Delete a tag of an experiment."""
        path = "/experiments" + path_of(str(experiment_id), "tags", str(key))
        self._caught_up().call("DELETE", path)

    def delete(self, experiment_id: str) -> None:
        """Delete an experiment; `restore` brings it back."""
        self._caught_up().call("DELETE", "/experiments" + path_of(str(experiment_id)))

    def restore(self, experiment_id: str) -> None:
        """Bring a deleted experiment back."""
        self._caught_up().call("POST", "/experiments" + path_of(str(experiment_id), "restore"))

    def rename(self, experiment_id: str, new_name: str) -> None:
        """Give an experiment another name."""
        _check_name(new_name)
        path = "/experiments" + path_of(str(experiment_id))
        self._caught_up().call("PATCH", path, body={"name": new_name})

    def _caught_up(self) -> Client:
        client = self._find_client()
        client.catch_up()
        return client


_experiments = Experiments(current_client)


def create_experiment(
    name: str,
    artifact_location: str | None = None,
    tags: dict[str, Any] | None = None,
    trace_location: Any = None,
) -> str:
    """Make an experiment and return its id. Raises `AlreadyExistsError` where there is one."""
    if trace_location is not None:
        raise InvalidInputError("Whence keeps traces in experiments; leave `trace_location` out.")
    return _experiments.create(name, tags, artifact_location)


def get_experiment(experiment_id: str) -> Experiment:
    """Return an experiment, a deleted one too. Raises `NotFoundError`."""
    return _experiments.get(experiment_id)


def get_experiment_by_name(name: str) -> Experiment | None:
    """Return the experiment of this name, a deleted one too, or None."""
    return _experiments.find(name)


def search_experiments(
    view_type: int = ACTIVE_ONLY,
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: list[str] | None = None,
) -> list[Experiment]:
    """Return the experiments that a filter finds.

    Those that are there (`view_type` 1), the deleted ones (2), or all (3).

    >>> import whence
    >>> whence.search_experiments()[0].name
    'Default'
    """
    found = _experiments.search(view_type, filter_string, order_by)
    return found if max_results is None else found[:max_results]


def delete_experiment(experiment_id: str) -> None:
    """Delete an experiment. Raises `NotFoundError`."""
    _experiments.delete(experiment_id)


def restore_experiment(experiment_id: str) -> None:
    """Bring a deleted experiment back. Raises `NotFoundError`."""
    _experiments.restore(experiment_id)


def set_experiment_tag(key: str, value: Any) -> None:
    """Set a tag of the active experiment."""
    _experiments.set_tag(settings.active_experiment()[0], key, value)


def set_experiment_tags(tags: dict[str, Any]) -> None:
    """Set several tags of the active experiment."""
    for key, value in tags.items():
        set_experiment_tag(key, value)


def delete_experiment_tag(key: str) -> None:
    """Delete a tag of the active experiment. Raises `NotFoundError` where there is none."""
    _experiments.delete_tag(settings.active_experiment()[0], key)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise InvalidInputError(f"An experiment is named by a non-empty string, not {name!r}.")
