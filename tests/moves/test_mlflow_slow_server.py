"""An MLflow server that has too much to say, or says it badly: everything else arrives."""

from __future__ import annotations

import time

import pytest
from mlflow_stand_in import mlflow_stand_in
from running import read_all

from whence.entities import experiment_id_of
from whence.errors import WhenceError
from whence.moves.mlflow.connection import connect
from whence.moves.mlflow.rest import ANSWER_BYTES, BATCH, FIRST_BATCH, READERS, ServerReader
from whence.moves.mlflow.server import MlflowServer
from whence.moves.selection import Selection
from whence.sdk.reading.client import Client

SLOW = experiment_id_of("slow")


@pytest.fixture
def source():
    with mlflow_stand_in() as asked:
        yield asked


def read_moved(server, source):
    here = read_all(server.url, SLOW)
    return {info["trace_id"]: here[info["trace_id"]] for info in source.infos}


def test_less_is_asked_at_once_where_no_answer_comes_in_time(whence, server, source):
    for number in range(45):
        source.add(number)
    source.most = 3
    done = whence("import", "mlflow", source.url)
    assert done.code == 0 and "imported 45 traces, 45 spans" in done.err, done.err
    assert all(len(one["data"]["spans"]) == 1 for one in read_moved(server, source).values())
    late = [size for size in source.batches if size > source.most]
    assert len(late) < 20  # what was too much once is not asked again and again


def test_a_few_batches_are_asked_for_before_they_are_needed(source):
    for number in range(200):
        source.add(3000 + number)
    reader = ServerReader(MlflowServer(source.url), Selection())
    traces = reader.read({})
    next(traces)
    time.sleep(0.2)  # for what would be asked without a bound
    assert len(source.batches) <= READERS
    assert len(list(traces)) == 199 and len(source.batches) <= 20 and max(source.batches) == BATCH
    reader.close()


def test_of_large_traces_few_are_asked_for_at_once(source):
    for number in range(24):
        source.add(4000 + number)
    source.span_bytes = ANSWER_BYTES // 2
    reader = ServerReader(MlflowServer(source.url), Selection())
    assert len(list(reader.read({}))) == 24
    assert max(source.batches) == FIRST_BATCH and set(source.batches[READERS + 1 :]) <= {1, 2, 3}
    reader.close()


def test_a_trace_whose_answer_never_comes_is_named_and_all_others_arrive(whence, server, source):
    ids = [source.add(1000 + number) for number in range(5)]
    source.never = frozenset({ids[2]})
    done = whence("import", "mlflow", source.url, "--report", "lost.jsonl")
    assert done.code == 3 and "imported 5 traces, 4 spans" in done.err, done.err
    assert f"1 × its spans: /api/3.0/mlflow/traces/get: status 504 ({ids[2]})" in done.err
    moved = read_moved(server, source)
    assert [len(moved[one]["data"]["spans"]) for one in ids] == [1, 1, 0, 1, 1]
    assert source.batches[:2] == [5, 3] and min(source.batches) == 1


def test_halves_of_surrogate_pairs_anywhere_cost_nothing(whence, server, source):
    lone = "half \ud83d"
    trace_id = source.add(
        2000,
        tags={"mlflow.trace.spansLocation": "TRACKING_STORE", f"tag {lone}": lone},
        trace_metadata={f"key {lone}": lone},
        request_preview=lone,
        response_preview="whole \ud83d\ude00",
        assessments=[
            {
                "assessment_id": "a-1",
                "assessment_name": "odd",
                "source": {"source_type": "HUMAN", "source_id": lone},
                "feedback": {"value": {lone: [lone]}},
                "rationale": lone,
            }
        ],
    )
    other = source.add(2001, request_time="yesterday\ud83d")
    done = whence("import", "mlflow", source.url, "--report", "lost.jsonl")
    assert done.code == 3 and "imported 1 traces, 1 spans, 1 assessments" in done.err, done.err
    assert other in done.err and "RFC 3339" in done.err
    info = read_all(server.url, SLOW)[trace_id]["info"]
    mended = "half \ufffd"
    assert info["tags"][f"tag {mended}"] == mended
    assert info["trace_metadata"][f"key {mended}"] == mended
    assert info["request_preview"] == mended and info["response_preview"] == "whole 😀"
    (judged,) = info["assessments"]
    assert judged["rationale"] == mended and judged["feedback"]["value"] == {mended: [mended]}


@pytest.mark.parametrize(
    "address",
    [
        "http://ann:s3cret@127.0.0.1:bad",
        "http://ann:s3cret/@127.0.0.1:5000",
        "http://ann:1?s3cret#@127.0.0.1:5000",
        "postgresql://ann:s3cret@127.0.0.1:bad/mlflow",
        "mysql+pymysql://ann:@s3cret@127.0.0.1:9:9/mlflow",
        "odd://ann:s3cret@127.0.0.1/mlflow?password=s3cret",
    ],
)
def test_a_password_is_never_told(address):
    with pytest.raises(WhenceError) as refused:
        MlflowServer(address) if address.startswith("http") else connect(address)
    assert "s3cret" not in refused.value.message and "ann@127.0.0.1" in refused.value.message
    with pytest.raises(WhenceError) as refused:
        Client(address)
    assert "s3cret" not in refused.value.message


def test_a_wrong_address_is_shown_without_its_password(whence):
    done = whence("export", "mlflow", "http://ann:s3cret@127.0.0.1:bad")
    assert done.code == 2 and "'http://ann@127.0.0.1:bad' is no address" in done.err
    assert "Traceback" not in done.err
