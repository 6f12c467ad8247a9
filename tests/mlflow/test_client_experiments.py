"""MLflow's own client makes, finds, renames, tags, deletes and restores experiments."""

from __future__ import annotations

import pytest

from mlflow_programs import run_program


@pytest.fixture(scope="module")
def found(server):
    return run_program("experiments", server.url)


def test_the_default_experiment_is_always_there(found):
    assert found["default"] == "Default"


def test_an_experiment_is_made_once_and_found_by_id_and_name(found):
    assert found["made"] == {
        "same": True,
        "name": "made",
        "stage": "active",
        "tags": {"team": "blue"},
        "times": True,
    }
    assert found["made_twice"]["code"] == "RESOURCE_ALREADY_EXISTS"
    assert found["set_twice"] is True


def test_one_that_is_not_there_is_none_or_an_error(found):
    assert found["not_there"] is None
    assert found["no_such_id"]["code"] == "RESOURCE_DOES_NOT_EXIST"
    assert "No Experiment with id=77 exists" in found["no_such_id"]["message"]


def test_an_experiment_is_renamed_and_its_old_name_is_free(found):
    assert found["renamed"] == [True, None, True]
    assert found["renamed_to_a_taken_name"]["code"] == "RESOURCE_ALREADY_EXISTS"


def test_tags_of_an_experiment_are_set_changed_and_deleted(found):
    assert found["tagged"] == {"a": "2"}
    assert found["tag_that_is_not_there"]["code"] == "RESOURCE_DOES_NOT_EXIST"


def test_a_deleted_experiment_is_listed_apart_keeps_its_traces_and_comes_back(found):
    deleted = found["deleted"]
    assert deleted["stages"] == ["deleted", "active"]
    assert deleted["shown"] == [False, True, True]
    assert deleted["trace"] == [True, 1]
    assert "deleted experiment" in deleted["refused"]
    assert found["deleted_twice"]["code"] == "RESOURCE_DOES_NOT_EXIST"


def test_experiments_are_found_by_filters_in_pages(found):
    assert found["searched"] == {
        "pages": [["found 2", "found 1"], ["found 0"]],
        "newest first": "found 2",
        "tag": ["found 0", "found 2"],
        "not": ["found 1"],
        "ilike": ["found 1"],
        "time": 3,
    }
    wrong = found["searched_wrongly"]
    assert wrong["code"] == "INVALID_PARAMETER_VALUE"
    assert "unknown field 'foo' at column 1" in wrong["message"]
