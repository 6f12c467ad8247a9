"""Experiments are made and found; through a real server."""

from __future__ import annotations

import pytest

import whence
from whence.errors import AlreadyExistsError, InvalidInputError, NotFoundError


def test_an_experiment_is_made_once_and_found_by_id_and_name(experiment):
    name = experiment.name + " made"
    made = whence.create_experiment(name)
    assert whence.get_experiment(made).name == name
    found = whence.get_experiment_by_name(name)
    assert (found.experiment_id, found.lifecycle_stage) == (made, "active")
    assert made in [one.experiment_id for one in whence.search_experiments()]
    with pytest.raises(AlreadyExistsError) as raised:
        whence.create_experiment(name)
    assert raised.value.error_code == "RESOURCE_ALREADY_EXISTS"


def test_an_experiment_that_is_not_there_is_none_or_an_error(experiment):
    assert whence.get_experiment_by_name("nobody's") is None
    with pytest.raises(NotFoundError, match="No Experiment with id=77 exists"):
        whence.get_experiment("77")


@pytest.mark.parametrize("name", ["", None, 5])
def test_an_experiment_has_a_name(experiment, name):
    with pytest.raises(InvalidInputError):
        whence.create_experiment(name)
    with pytest.raises(InvalidInputError):
        whence.get_experiment_by_name(name)


def test_what_whence_has_no_place_for_is_refused(experiment):
    for given in ({"artifact_location": "s3://x"}, {"trace_location": object()}):
        with pytest.raises(InvalidInputError):
            whence.create_experiment("x", **given)
    with pytest.raises(InvalidInputError, match="view_type"):
        whence.search_experiments(view_type=7)


def test_pages_of_experiments_follow_one_another(experiment):
    for number in range(3):
        whence.create_experiment(f"{experiment.name} {number}")
    client, seen, token = whence.MlflowClient(), [], None
    while True:
        page = client.search_experiments(max_results=2, page_token=token)
        seen += [one.experiment_id for one in page]
        token = page.token
        if token is None:
            break
    assert seen == [one.experiment_id for one in whence.search_experiments()]
