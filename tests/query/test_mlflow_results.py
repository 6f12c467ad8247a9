"""MLflow's own results: the tables of its filter language, on the fixture they were measured on."""

from __future__ import annotations

import pytest
from tests.query.rows import insert, judgement, span, trace

from whence.errors import FilterError
from whence.query.search import search_traces

EXPERIMENT = "774202"
START = 1_700_000_000_000


def children(name):
    inner = span("inner", type="TOOL", status="OK", inputs='{"x":1}', outputs='"hello wörld"', attributes={"model": '"gpt-4o"', "temperature": "0.5"})  # fmt: skip
    return [span(name, type="LLM", status="OK", outputs='"hello wörld"'), inner]


def fixture():
    def one(name, index, duration_ms, **given):
        return trace(
            f"tr-mlflow-{name}",
            name=name,
            request_time_ms=START + 1000 * index,
            duration_ns=duration_ms * 1_000_000,
            spans=children(name),
            **given,
        )

    session = "mlflow.trace.session"
    return [
        one("a", 0, 50, metadata={"env": "prod", "ver": "1", session: "S1"}, tags={"t": "x", "my tag": "sp ace"}, client_request_id="crid-a", assessments=[judgement("q", "0.5"), judgement("ok", "true"), judgement("old", '"yes"', valid=False)]),
        one("b", 1, 30, metadata={"env": "dev", "ver": "2", session: "S1"}, tags={"t": "y"}, state="ERROR", client_request_id="crid-b", assessments=[judgement("q", "3.0"), judgement("q", '"good"'), judgement("truth", '"Paris"', kind="expectation")]),
        one("c", 2, 60, metadata={"env": "dev", session: "S2"}, client_request_id="crid-c"),
        one("d", 3, 20),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def measured(store):
    insert(store, EXPERIMENT, fixture())
    return store


def find(store, text):
    page = search_traces(store, experiment_ids=[EXPERIMENT], filter_string=text)
    return ",".join(sorted(info.trace_id[-1] for info in page.traces))


MEASURED = [
    ("metadata.env = 'prod'", "a"),
    ("metadata.env != 'prod'", "b,c"),
    ("metadata.ver != '1'", "b"),
    ("metadata.`env` = 'dev'", "b,c"),
    ("metadata.\"env\" = 'dev'", "b,c"),
    ('metadata.env = "dev"', "b,c"),
    ("request_metadata.env = 'dev'", "b,c"),
    ("metadata.env LIKE 'd%'", "b,c"),
    ("metadata.env LIKE 'D%'", ""),
    ("metadata.env ILIKE 'D%'", "b,c"),
    ("metadata.env RLIKE '^(dev|prod)$'", "a,b,c"),
    ("metadata.env RLIKE 'ro'", "a"),
    ("metadata.env RLIKE 'RO'", ""),
    ("metadata.ver IS NULL", "c,d"),
    ("metadata.ver IS NOT NULL", "a,b"),
    ("metadata.`mlflow.trace.session` = 'S1'", "a,b"),
    ("metadata.mlflow.trace.session = 'S1'", "a,b"),
    ("metadata.`mlflow.trace.session` != 'S1'", "c"),
    ("metadata.`mlflow.trace.session` IS NULL", "d"),
    ("metadata. = 'x'", ""),
    ("tags.t != 'x'", "b"),
    ("tag.t = 'x'", "a"),
    ("tags.`my tag` = 'sp ace'", "a"),
    ("status != 'OK'", "b"),
    ("status NOT IN ('OK')", "b"),
    ("status LIKE 'E%'", "b"),
    ("status='OK'", "a,c,d"),
    ("name RLIKE 'a|b'", "a,b"),
    ("name != 'a'", "b,c,d"),
    ("name IS NULL", ""),
    ("client_request_id IN ('crid-a','crid-b')", "a,b"),
    ("execution_time_ms > 40", "a,c"),
    ("execution_time > '40'", "a,c"),
    (f"trace.end_time < {START + 1030}", "a"),
    (f"timestamp_ms>{START + 1000}", "c,d"),
    (f"timestamp = {START}.0", "a"),
    ("run_id IS NULL", "a,b,c,d"),
    ("run_id != 'abc'", ""),
    ("span.name = 'a' AND span.type = 'LLM'", "a"),
    ("span.name = 'a' AND span.type = 'TOOL'", ""),
    ("span.name = 'a' and span.status IN ('OK')", "a"),
    ("span.name != 'inner'", "a,b,c,d"),
    ("span.content LIKE '%wörld%'", "a,b,c,d"),
    ("trace.text LIKE '%hello%'", "a,b,c,d"),
    ("span.attributes.model LIKE '%gpt%'", "a,b,c,d"),
    ("feedback.x IS NULL", "a,b,c,d"),
    ("feedback.q = '0.5'", "a"),
    ("feedback.q = '3.0'", "b"),
    ("feedback.q = '3'", ""),
    ("feedback.q = 'good'", "b"),
    ("feedback.ok = 'true'", "a"),
    ("feedback.q > 0.6", "b"),
    ("feedback.q <= 0.5", "a"),
    ("feedback.old = 'yes'", ""),
    ("feedback.q IS NOT NULL", "a,b"),
    ("expectation.truth ILIKE 'paris'", "b"),
    ("status = 'OK' AND metadata.env = 'dev'", "c"),
]


@pytest.mark.parametrize(("text", "expected"), MEASURED)
def test_a_valid_filter_finds_what_mlflow_finds(measured, text, expected):
    assert find(measured, text) == expected


REFUSED = [
    "span.foo = 'x'",
    "span.content = 'x'",
    "span.name IS NULL",
    "feedback.x > '0.5'",
    "foo = 'x'",
    "status",
    "status =",
    "= 'OK'",
    "status == 'OK'",
    "status <> 'OK'",
    "status BETWEEN 'A' AND 'Z'",
    "status IN ()",
    "status IN (OK)",
    "metadata.env = dev",
    "metadata.a-b = 'x'",
    "status = 'OK', name = 'a'",
    "status = 'OK'; name = 'a'",
    "prompt = 'p'",
    "timestamp LIKE 'x'",
    "assessment.x = 'y'",
    "metrics.x = 1",
    "params.x = '1'",
    "trace_metadata.x = 'y'",
    "Metadata.x = 'y'",
    "request_time > 5",
    "execution_duration > 5",
    "trace_name = 'x'",
    "latency > 5",
    "experiment_id = '0'",
    "status > 'OK'",
    "status = 5",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_mlflow_refuses_and_whence_does_not_mean_is_refused_here_too(measured, text):
    with pytest.raises(FilterError, match="."):
        find(measured, text)


ACCEPTED = [
    ("  ", "a,b,c,d"),
    ("metadata.env = 'prod' OR metadata.ver = '2'", "a,b"),
    ("NOT metadata.ver = '1'", "b,c,d"),
    ("metadata.ver IS NULL OR metadata.ver != '1'", "b,c,d"),
    ("(status = 'ERROR' OR metadata.env = 'prod') AND tags.t IS NOT NULL", "a,b"),
    ("metadata.env IN ('dev', 'test')", "b,c"),
    ("metadata.env NOT IN ('dev')", "a"),
    ("tags.t IN ('x')", "a"),
    ("name IN ('a', 'd')", "a,d"),
    ("metadata.env NOT LIKE 'd%'", "a"),
    ("metadata.ver > 1", "b"),
    ("metadata.ver > '1'", "b"),
    ("metadata.env = 5", ""),
    ("feedback.q = 0.5", "a"),
    ("feedback.q = 3", "b"),
    ("span.attributes.model = 'gpt-4o'", "a,b,c,d"),
    ("span.attributes.model LIKE 'gpt-4o'", "a,b,c,d"),
    ("span.attributes.model != 'gpt-4o'", ""),
    ("span.attributes.temperature < 1", "a,b,c,d"),
    ("state = 'ERROR'", "b"),
    ("trace_id = 'tr-mlflow-c'", "c"),
    ("session = 'S1'", "a,b"),
    ("(span.name = 'a') AND (span.type = 'TOOL')", "a"),
    ("timestamp > '2023-11-14T22:13:21Z'", "c,d"),
    ("client_request_id IS NULL", "d"),
    ("run_id = ''", ""),
    ("metadata.name = 'a'", ""),
]


@pytest.mark.parametrize(("text", "expected"), ACCEPTED)
def test_what_whence_means_beyond_mlflow(measured, text, expected):
    assert find(measured, text) == expected
