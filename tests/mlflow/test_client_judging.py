"""MLflow's own client judges traces."""

from __future__ import annotations

import pytest

from mlflow_programs import run_program


@pytest.fixture(scope="module")
def found(server):
    return run_program("judging", server.url)


def test_feedback_of_every_kind_comes_back(found):
    values = [one.pop("value") for one in found["feedback"]]
    assert values == [0.5, "good", True, None, [1, "two"], {"a": {"b": 1}}]
    for one in found["feedback"]:
        assert one == {
            "name": "grade",
            "valid": True,
            "source": ["LLM_JUDGE", "judge-1"],
            "rationale": "because",
            "metadata": {"k": "v"},
        }


def test_expectations_of_every_kind_come_back(found):
    assert found["expectations"] == ["Paris", 7.0, ["a"], {"name": "Paris"}]


def test_a_judges_error_comes_back(found):
    assert found["errors"] == ["Timeout", "too slow", "line 1\nline 2"]


def test_what_is_judged_while_the_trace_is_open_travels_with_it(found):
    assert found["while_open"] == ["early", 1.0, True, True]


def test_an_override_makes_the_first_invalid_until_it_is_deleted(found):
    overridden, restored = found["overridden"]
    assert overridden == [["no", False], ["yes", True]]
    assert restored == [["no", True]]


def test_an_update_changes_what_it_says_and_merges_metadata(found):
    (updated,) = found["updated"]
    assert (updated["name"], updated["value"]) == ("better", True)
    assert updated["rationale"] == "now it is"
    assert updated["metadata"] == {"a": "1", "b": "2"}


def test_an_update_cannot_change_the_kind(found):
    changed = found["kind_changed"]
    assert changed["code"] == "INVALID_PARAMETER_VALUE"
    assert "Cannot update expectation value on a Feedback" in changed["message"]


def test_deleting_again_does_nothing(found):
    assert found["deleted_twice"] == []


def test_what_is_not_there_is_said_so(found):
    assert found["not_there"]["code"] == "RESOURCE_DOES_NOT_EXIST"
    assert found["no_trace"]["code"] == "RESOURCE_DOES_NOT_EXIST"


def test_a_trace_is_found_by_its_judgement(found):
    assert found["searched"] == [True]
