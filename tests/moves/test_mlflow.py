"""MLflow's traces, in and out: a real database, a real server, the real client."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing

import httpx
import pytest
from moved_traces import plain
from running import mlflow_serving, read_all, record

from serving import serving
from whence.moves import sender
from whence.moves.checkpoint import Checkpoint
from whence.moves.mlflow.artifacts import Artifacts
from whence.moves.mlflow.connection import connect
from whence.moves.mlflow.database import DatabaseReader
from whence.moves.report import Report
from whence.moves.selection import Selection
from whence.sdk.reading.client import Client

EXPERIMENT = "shop bot"
TABLES = (
    "spans", "assessments", "trace_tags", "trace_request_metadata", "trace_metrics", "trace_info",
)  # fmt: skip


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A database made by the real client, and what the client reads there."""
    database = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    return database, record(f"sqlite:///{database}", 20)


@pytest.fixture(scope="module")
def served(recorded, tmp_path_factory):
    """A real MLflow server with the experiment and no traces; migrating a new database is slow."""
    database = tmp_path_factory.mktemp("served") / "mlflow.db"
    shutil.copy(recorded[0], database)
    with sqlite3.connect(database) as emptied:
        for table in TABLES:
            emptied.execute(f"DELETE FROM {table}")
    emptied.close()
    with mlflow_serving(database) as url:
        yield url


def experiments_of(url: str) -> dict[str, dict]:
    found = httpx.get(f"{url}/api/v1/experiments").json()["experiments"]
    return {one["name"]: one for one in found}


def assert_same(moved: dict[str, dict], original: dict[str, dict]) -> None:
    assert moved.keys() == original.keys()
    for trace_id, trace in original.items():
        assert plain(moved[trace_id]) == plain(trace)


def test_a_database_arrives_trace_by_trace(whence, server, recorded):
    database, original = recorded
    done = whence("import", "mlflow", f"sqlite:///{database}")
    assert done.code == 0, done.err
    assert "imported 20 traces, " in done.err and "7 assessments" in done.err
    assert "left out, because they were deleted there: gone" in done.err
    assert_same(read_all(server.url), original)
    assert experiments_of(server.url)[EXPERIMENT]["tags"] == {"team": "search"}

    again = whence("import", "mlflow", database)
    assert again.code == 0 and "imported 20 traces" in again.err
    assert_same(read_all(server.url), original)


def test_what_changed_since_arrives_with_the_next_import(whence, recorded, tmp_path):
    database = tmp_path / "mlflow.db"
    shutil.copy(recorded[0], database)
    first, second = sorted(recorded[1])[:2]
    with serving(tmp_path / "store") as running:
        assert whence("import", "mlflow", database, url=running.url).code == 0
        here = f"{running.url}/api/v1/traces"
        httpx.put(f"{here}/{second}/tags/kind", json={"value": "ours"}).raise_for_status()
        with sqlite3.connect(database) as changed:
            changed.execute("UPDATE trace_tags SET value = 'theirs' WHERE key = 'kind'")
            changed.execute(
                "INSERT INTO assessments (assessment_id, trace_id, name, assessment_type, value,"
                " created_timestamp, last_updated_timestamp, source_type, source_id, valid,"
                " is_numeric_value) VALUES ('a-1', ?, 'new', 'feedback', '1', 5, 6, 'HUMAN', 'x',"
                " 1, 1)",
                (first,),
            )
        changed.close()
        assert whence("import", "mlflow", database, url=running.url).code == 0
        infos = {key: trace["info"] for key, trace in read_all(running.url).items()}
    judged = [one for one in infos[first]["assessments"] if one["assessment_name"] == "new"]
    assert [one["create_time"] for one in judged] == ["1970-01-01T00:00:00.005Z"]
    tags = {key: info["tags"].get("kind") for key, info in infos.items()}
    assert tags.pop(second) == "ours"
    assert set(tags.values()) <= {"theirs", None} and "theirs" in tags.values()


def test_an_interrupted_import_goes_on_where_it_stopped(whence, recorded, tmp_path, monkeypatch):
    database, original = recorded
    monkeypatch.setattr(sender, "BATCH_TRACES", 2)
    with serving(tmp_path / "store") as running, Client(running.url) as client:
        move = {
            "from": f"sqlite:///{database}", "to": running.url, "experiments": [], "since": "",
        }  # fmt: skip
        checkpoint = Checkpoint(tmp_path / "checkpoint", move)
        connection = connect(f"sqlite:///{database}")
        reader = DatabaseReader(connection, Selection(), Artifacts())

        def interrupted():
            for number, trace in enumerate(reader.read({})):
                if number == 13:
                    raise KeyboardInterrupt
                yield trace

        with pytest.raises(KeyboardInterrupt):
            sender.Sender(client, Report(), checkpoint=checkpoint).send_all(interrupted())
        connection.close()
        came = len(read_all(running.url))
        assert 2 <= came <= 12
        options = ("--checkpoint", tmp_path / "checkpoint")
        other = whence("import", "mlflow", database, *options, "--since", "7d", url=running.url)
        assert other.code == 2 and "of another move" in other.err
        done = whence("import", "mlflow", f"sqlite:///{database}", *options, url=running.url)
        assert done.code == 0 and "going on after" in done.err, done.err
        assert "imported 20 traces" not in done.err
        assert not (tmp_path / "checkpoint").exists()
        assert_same(read_all(running.url), original)


def test_what_can_not_be_read_is_named_and_nothing_else_is_lost(whence, recorded, tmp_path):
    database = tmp_path / "broken.db"
    shutil.copy(recorded[0], database)
    first, second, third, *_ = sorted(recorded[1])
    folder = tmp_path / "old" / "artifacts"
    folder.mkdir(parents=True)
    spans = recorded[1][third]["data"]["spans"]
    (folder / "traces.json").write_text(json.dumps({"spans": [*spans, {"name": "no ids"}]}))
    with sqlite3.connect(database) as broken:
        one = "(SELECT span_id FROM spans WHERE trace_id = ? LIMIT 1)"
        broken.execute(
            f"UPDATE spans SET content = '{{\"name\": 5' WHERE span_id = {one}", (first,)
        )
        broken.execute("DELETE FROM spans WHERE trace_id IN (?, ?)", (second, third))
        broken.execute(
            "UPDATE trace_tags SET value = CASE WHEN key = 'mlflow.artifactLocation' THEN"
            " CASE request_id WHEN ? THEN 's3://bucket/x' ELSE ? END ELSE 'ARTIFACT_REPO' END"
            " WHERE key LIKE 'mlflow.%ocation' AND request_id IN (?, ?)",
            (second, str(folder), second, third),
        )
        broken.execute("UPDATE assessments SET assessment_type = 'odd' WHERE name = 'score'")
    broken.close()
    with serving(tmp_path / "store") as running:
        done = whence("import", "mlflow", database, "--report", "lost.jsonl", url=running.url)
        moved = read_all(running.url)
    assert done.code == 3 and "not moved: 4\n" in done.err, done.err
    lines = (tmp_path / "lost.jsonl").read_text().splitlines()
    lost = {one["where"]: one["reason"] for one in map(json.loads, lines)}
    assert "can't be read" in lost[first]
    assert "s3://" in lost[second] and "running server" in lost[second]
    assert f"span {len(spans) + 1}" in lost[third]
    assert moved.keys() == recorded[1].keys()
    assert len(moved[first]["data"]["spans"]) == len(recorded[1][first]["data"]["spans"]) - 1
    assert moved[second]["data"]["spans"] == []
    assert plain(moved[third])["spans"] == plain(recorded[1][third])["spans"]


def test_spans_that_mlflow_archived_are_named(recorded, tmp_path):
    database = tmp_path / "archived.db"
    shutil.copy(recorded[0], database)
    one = min(recorded[1])
    with sqlite3.connect(database) as archived:
        archived.execute("UPDATE spans SET content = '' WHERE trace_id = ?", (one,))
    archived.close()
    with closing(connect(f"sqlite:///{database}")) as connection:
        found = list(DatabaseReader(connection, Selection(), Artifacts(None)).read({}))
    (named,) = (trace for trace in found if trace.problems)
    count = len(recorded[1][one]["data"]["spans"])
    words = "MLflow has archived them: import from the MLflow server instead"
    assert named.trace_id == one and named.spans == []
    assert named.problems == [f"{count} of its spans: {words}"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such.db"], "there is no database"),
        (["."], "mlflow server --backend-store-uri"),
        ([__file__], "is no SQLite database"),
        (["mssql://host/db"], "whence[import]"),
        (["http://127.0.0.1:9"], "no server answers"),
        (["x.db", "--since", "yesterday"], "--since takes"),
    ],
)
def test_a_source_that_is_none_is_refused_with_words(whence, arguments, words):
    done = whence("import", "mlflow", *arguments)
    assert done.code in (1, 2) and words in done.err and "Traceback" not in done.err


def test_an_experiment_that_is_not_there_is_refused(whence, recorded):
    done = whence("import", "mlflow", recorded[0], "-e", "nobody")
    assert done.code == 2 and "no experiment 'nobody'" in done.err


def test_traces_go_to_an_mlflow_server_and_come_back_from_it(
    whence, server, recorded, served, tmp_path
):
    database, original = recorded
    assert whence("import", "mlflow", database).code == 0
    done = whence("export", "mlflow", served)
    assert done.code == 0 and "exported 20 traces, " in done.err, done.err
    again = whence("export", "mlflow", served, "metadata.app_version = '1.1'", "--since", "1d")
    assert again.code == 0 and "exported 7 traces" in again.err, again.err
    assert_same(record(served, "read", EXPERIMENT), original)

    with serving(tmp_path / "store") as running:
        done = whence("import", "mlflow", served, "-e", EXPERIMENT, url=running.url)
        assert done.code == 0 and "imported 20 traces, " in done.err, done.err
        assert_same(read_all(running.url), original)


def test_an_export_goes_to_a_server_only(whence, recorded):
    done = whence("export", "mlflow", f"sqlite:///{recorded[0]}")
    assert done.code == 2 and "no MLflow server" in done.err
