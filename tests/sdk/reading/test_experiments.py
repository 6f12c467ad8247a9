"""Experiments are made, found, tagged, renamed, deleted and brought back; through a real server."""

from __future__ import annotations

import pytest

import whence
from whence.errors import AlreadyExistsError, InvalidInputError, NotFoundError


@pytest.fixture
def name(experiment):
    return experiment.name + " made"


def test_an_experiment_is_made_once_and_found_by_id_and_name(name):
    made = whence.create_experiment(name, tags={"team": "blue"})
    assert whence.get_experiment(made).name == name
    found = whence.get_experiment_by_name(name)
    assert (found.experiment_id, found.lifecycle_stage) == (made, "active")
    assert found.tags == {"team": "blue"}
    with pytest.raises(AlreadyExistsError) as raised:
        whence.create_experiment(name)
    assert raised.value.error_code == "RESOURCE_ALREADY_EXISTS"


def test_an_experiment_that_is_not_there_is_none_or_an_error(experiment):
    assert whence.get_experiment_by_name("nobody's") is None
    with pytest.raises(NotFoundError, match="No Experiment with id=77 exists"):
        whence.get_experiment("77")
    for change in (
        lambda: whence.delete_experiment("77"),
        lambda: whence.restore_experiment("77"),
        lambda: whence.MlflowClient().rename_experiment("77", "x"),
        lambda: whence.MlflowClient().set_experiment_tag("77", "k", "v"),
    ):
        with pytest.raises(NotFoundError):
            change()


def test_tags_of_the_active_experiment_change(experiment):
    with whence.start_span("answer"):
        pass
    whence.set_experiment_tag("team", "blue")
    whence.set_experiment_tags({"a/b": 1, "team": "red"})
    own = experiment.experiment_id
    assert whence.get_experiment(own).tags == {"team": "red", "a/b": "1"}
    whence.delete_experiment_tag("a/b")
    assert whence.get_experiment(own).tags == {"team": "red"}
    with pytest.raises(NotFoundError):
        whence.delete_experiment_tag("a/b")


def test_a_deleted_experiment_is_listed_apart_and_comes_back(name):
    made = whence.create_experiment(name)
    whence.delete_experiment(made)
    assert whence.get_experiment(made).lifecycle_stage == "deleted"
    assert made not in ids(view_type=1)
    assert made in ids(view_type=2)
    assert made in ids(view_type=3)
    whence.restore_experiment(made)
    assert made in ids(view_type=1)


def test_an_experiment_is_renamed(name):
    client = whence.MlflowClient()
    made = client.create_experiment(name)
    client.rename_experiment(made, name + " again")
    assert whence.get_experiment_by_name(name) is None
    assert whence.get_experiment_by_name(name + " again").experiment_id == made


def test_experiments_are_found_by_a_filter(name):
    made = whence.create_experiment(name, tags={"kind": "odd one"})
    assert ids(filter_string="tags.kind = 'odd one'") == [made]
    assert made in ids(filter_string="name LIKE '%made'", order_by=["name DESC"])
    with pytest.raises(InvalidInputError):
        whence.search_experiments(filter_string="nonsense = ")
    with pytest.raises(InvalidInputError, match="view_type"):
        whence.search_experiments(view_type=7)


def test_pages_of_experiments_follow_one_another(name):
    for number in range(3):
        whence.create_experiment(f"{name} {number}")
    client, seen, token = whence.MlflowClient(), [], None
    while True:
        page = client.search_experiments(max_results=2, page_token=token)
        seen += [one.experiment_id for one in page]
        token = page.token
        if token is None:
            break
    assert seen == ids()


def ids(**given) -> list[str]:
    return [one.experiment_id for one in whence.search_experiments(**given)]
