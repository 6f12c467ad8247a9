"""What MLflow clients edit: experiments, assessments in place, files of traces."""

from __future__ import annotations

import uuid

import pytest
from tests.ingest.wire import new_trace_hex

from whence.errors import AlreadyExistsError, InvalidInputError, NotFoundError
from whence.ingest.header import Header
from whence.store.artifacts import read_artifact
from whence.store.experiments import read_experiments
from whence.store.rows import ArtifactRow
from whence.store.tags import read_tags


def new_name():
    return f"experiment {uuid.uuid4()}"


def stored(store, experiment_id):
    return next(row for row in read_experiments(store) if row.experiment_id == experiment_id)


@pytest.fixture
def trace_id(ingestor, experiment_id):
    made = f"tr-{new_trace_hex()}"
    ingestor.submit_header(Header(trace_id=made, experiment_id=experiment_id, state="OK")).result(9)
    return made


def test_a_name_belongs_to_one_experiment_also_while_it_is_deleted(ingestor):
    name = new_name()
    made = ingestor.add_experiment(name, {"team": "blue"})
    assert made.tags == {"team": "blue"} and ingestor.create_experiment(name) == made
    with pytest.raises(AlreadyExistsError, match=made.experiment_id):
        ingestor.add_experiment(name, {})
    ingestor.delete_experiment(made.experiment_id)
    with pytest.raises(AlreadyExistsError, match="it is deleted"):
        ingestor.add_experiment(name, {})


def test_who_is_named_as_another_one_was_gets_an_id_of_its_own(ingestor, store):
    name, other = new_name(), new_name()
    first = ingestor.add_experiment(name, {})
    ingestor.rename_experiment(first.experiment_id, other)
    assert stored(store, first.experiment_id).name == other
    second = ingestor.add_experiment(name, {})
    assert second.experiment_id != first.experiment_id
    with pytest.raises(AlreadyExistsError, match="already exists"):
        ingestor.rename_experiment(second.experiment_id, other)


def test_a_deleted_experiment_takes_no_headers_until_it_is_restored(ingestor, store):
    experiment_id = ingestor.add_experiment(new_name(), {}).experiment_id
    header = Header(trace_id=f"tr-{new_trace_hex()}", experiment_id=experiment_id, state="OK")
    ingestor.delete_experiment(experiment_id)
    assert stored(store, experiment_id).lifecycle_stage == "deleted"
    with pytest.raises(InvalidInputError, match="must be in the 'active' state"):
        ingestor.submit_header(header).result(9)
    with pytest.raises(InvalidInputError, match="must be in the 'active' state"):
        ingestor.tag_experiment(experiment_id, {"a": "b"})
    with pytest.raises(NotFoundError):
        ingestor.delete_experiment(experiment_id)
    ingestor.restore_experiment(experiment_id)
    assert ingestor.submit_header(header).result(9).trace.trace_id == header.trace_id
    with pytest.raises(NotFoundError):
        ingestor.restore_experiment(experiment_id)


def test_tags_of_an_experiment_are_set_and_deleted(ingestor, store):
    experiment_id = ingestor.add_experiment(new_name(), {"a": "1"}).experiment_id
    ingestor.tag_experiment(experiment_id, {"b": "2", "c": "3"})
    ingestor.tag_experiment(experiment_id, {"a": None})
    assert stored(store, experiment_id).tags == {"b": "2", "c": "3"}
    with pytest.raises(NotFoundError, match="No tag with name: a"):
        ingestor.tag_experiment(experiment_id, {"a": None})
    with pytest.raises(NotFoundError, match="No Experiment with id=no exists"):
        ingestor.tag_experiment("no", {"a": "1"})


def test_an_assessment_is_changed_in_place_and_its_metadata_merged(ingestor, trace_id):
    made = ingestor.log_assessment(
        trace_id,
        {
            "assessment_name": "q",
            "feedback": {"value": 1},
            "rationale": "r",
            "metadata": {"a": "1"},
        },
    )
    payload = {
        "assessment_name": "ignored: not in the mask",
        "feedback": {"value": 2},
        "metadata": {"b": "2"},
    }
    fields = ["feedback", "metadata"]
    row = ingestor.update_assessment(trace_id, made.assessment_id, payload, fields)
    assert (row.name, row.value, row.rationale) == ("q", "2", "r")
    assert row.metadata == {"a": "1", "b": "2"}
    assert row.create_time_ms == made.create_time_ms
    assert row.last_update_time_ms >= made.last_update_time_ms


@pytest.mark.parametrize(
    ("payload", "fields", "words"),
    [
        ({"expectation": {"value": 1}}, ["expectation"], "Cannot update expectation value on a F"),
        ({"source": {}}, ["source"], "'source' of an assessment can't be updated"),
    ],
)
def test_what_makes_an_assessment_itself_does_not_change(
    ingestor, trace_id, payload, fields, words
):
    made = ingestor.log_assessment(trace_id, {"feedback": {"value": True}})
    with pytest.raises(InvalidInputError, match=words):
        ingestor.update_assessment(trace_id, made.assessment_id, payload, fields)
    with pytest.raises(NotFoundError, match="not found for trace"):
        ingestor.update_assessment(trace_id, "a-nothing", {"rationale": "r"}, ["rationale"])


def test_a_file_may_come_before_its_trace_and_goes_with_it(ingestor, store, experiment_id):
    trace_id = f"tr-{new_trace_hex()}"
    row = ArtifactRow(
        trace_id=trace_id, path="attachments/1", content_type="image/png", content="AA=="
    )
    ingestor.store_artifact(row)
    assert read_artifact(store, trace_id, "attachments/1").content == "AA=="
    assert read_artifact(store, trace_id, "attachments/2") is None
    ingestor.submit_header(Header(trace_id=trace_id, experiment_id=experiment_id)).result(9)
    ingestor.delete_traces([trace_id])
    assert read_artifact(store, trace_id, "attachments/1") is None
    ingestor.store_artifact(row)
    assert read_artifact(store, trace_id, "attachments/1") is None


def test_links_are_added_to_those_before_and_never_repeated(ingestor, store, trace_id):
    ingestor.link_traces([trace_id], "links", ["a"])
    ingestor.link_traces([trace_id, trace_id], "links", ["b", "a"])
    assert [tag.value for tag in read_tags(store, [trace_id])] == ['["a","b"]']
    ingestor.set_tags(trace_id, {"links": "no list"})
    with pytest.raises(InvalidInputError, match="holds no JSON list of links"):
        ingestor.link_traces([trace_id], "links", ["c"])
    assert [tag.value for tag in read_tags(store, [trace_id])] == ["no list"]


def test_links_of_several_traces_are_made_for_all_or_for_none(ingestor, store, trace_id):
    with pytest.raises(NotFoundError, match="tr-nope"):
        ingestor.link_traces([trace_id, "tr-nope"], "links", ["a"])
    with pytest.raises(InvalidInputError, match="too many links"):
        ingestor.link_traces([trace_id], "links", ["x" * 9_000])
    assert read_tags(store, [trace_id]) == []


def test_the_tags_of_an_experiment_have_keys_as_those_of_traces(ingestor, store):
    made = ingestor.add_experiment(new_name(), {"a b/c": "x" * 9_000})
    assert stored(store, made.experiment_id).tags == {"a b/c": "x" * 8_000}
    for key in ("", "bad!", "k" * 251):
        with pytest.raises(InvalidInputError):
            ingestor.tag_experiment(made.experiment_id, {key: "v"})
