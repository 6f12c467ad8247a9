"""Experiments by MLflow's client."""

from __future__ import annotations

from mlflow.entities import ViewType

import mlflow
from mlflow import MlflowClient


def _names(**given):
    return [one.name for one in mlflow.search_experiments(**given) if one.name != "Default"]


def default():
    return mlflow.get_experiment("0").name


def made():
    experiment_id = mlflow.create_experiment("made", tags={"team": "blue"})
    by_id, by_name = mlflow.get_experiment(experiment_id), mlflow.get_experiment_by_name("made")
    return {
        "same": by_id.experiment_id == by_name.experiment_id == experiment_id,
        "name": by_id.name,
        "stage": by_id.lifecycle_stage,
        "tags": by_id.tags,
        "times": by_id.creation_time > 1_700_000_000_000 <= by_id.last_update_time,
    }


def made_twice():
    mlflow.create_experiment("made")


def set_twice():
    first, again = mlflow.set_experiment("set"), mlflow.set_experiment("set")
    return first.experiment_id == again.experiment_id


def not_there():
    return mlflow.get_experiment_by_name("nobody's")


def no_such_id():
    mlflow.get_experiment("77")


def renamed():
    client = MlflowClient()
    experiment_id = client.create_experiment("before")
    client.rename_experiment(experiment_id, "after")
    found = client.get_experiment_by_name("after")
    gone = client.get_experiment_by_name("before")
    again = client.create_experiment("before")
    return [found.experiment_id == experiment_id, gone, again != experiment_id]


def renamed_to_a_taken_name():
    client = MlflowClient()
    client.rename_experiment(client.create_experiment("third"), "after")


def tagged():
    client = MlflowClient()
    experiment_id = client.create_experiment("tagged")
    client.set_experiment_tag(experiment_id, "a", "1")
    client.set_experiment_tag(experiment_id, "a", "2")
    client.set_experiment_tag(experiment_id, "b/c", "3")
    client.delete_experiment_tag(experiment_id, "b/c")
    return client.get_experiment(experiment_id).tags


def tag_that_is_not_there():
    MlflowClient().delete_experiment_tag(mlflow.get_experiment_by_name("tagged").experiment_id, "x")


def deleted():
    client = MlflowClient()
    mlflow.set_experiment("gone")
    with mlflow.start_span("answer") as span:
        pass
    experiment_id = mlflow.get_experiment_by_name("gone").experiment_id
    client.delete_experiment(experiment_id)
    stages = [client.get_experiment(experiment_id).lifecycle_stage]
    shown = [
        "gone" in _names(view_type=view)
        for view in (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY, ViewType.ALL)
    ]
    still = mlflow.get_trace(span.trace_id) is not None
    found = len(mlflow.search_traces(locations=[experiment_id], return_type="list"))
    try:
        mlflow.set_experiment("gone")
        refused = ""
    except mlflow.exceptions.MlflowException as error:
        refused = str(error)
    client.restore_experiment(experiment_id)
    stages.append(client.get_experiment(experiment_id).lifecycle_stage)
    return {"stages": stages, "shown": shown, "trace": [still, found], "refused": refused}


def deleted_twice():
    client = MlflowClient()
    experiment_id = client.create_experiment("twice")
    client.delete_experiment(experiment_id)
    client.delete_experiment(experiment_id)


def searched():
    for number, kind in enumerate(("odd one", "even", "odd one")):
        mlflow.create_experiment(f"found {number}", tags={"kind": kind})
    client, pages, token = MlflowClient(), [], None
    while True:
        page = client.search_experiments(
            filter_string="name LIKE 'found%'",
            order_by=["name DESC"],
            max_results=2,
            page_token=token,
        )
        pages.append([one.name for one in page])
        token = page.token
        if token is None:
            break
    return {
        "pages": pages,
        "newest first": _names(filter_string="name LIKE 'found%'")[0],
        "tag": sorted(_names(filter_string="tags.kind = 'odd one'")),
        "not": sorted(_names(filter_string="tags.kind != 'odd one'")),
        "ilike": sorted(_names(filter_string="attribute.name ILIKE 'FOUND_1'")),
        "time": len(_names(filter_string="name LIKE 'found%' AND creation_time > 1700000000000")),
    }


def searched_wrongly():
    mlflow.search_experiments(filter_string="foo = 'x'")
