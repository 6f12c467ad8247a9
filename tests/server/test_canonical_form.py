"""One fact, told by any library, over JSON and protobuf, is found by one filter."""

from __future__ import annotations

import itertools
import json
from typing import NamedTuple

import pytest

from whence.otlp import json as otlp_json
from whence.otlp import protobuf as otlp_protobuf
from whence.otlp.records import Resource, ResourceSpans, SpanRecord

_numbers = itertools.count(1)
START_NS = 1_790_000_000_000_000_000
ROOT, CHILD, RESOURCE = "root", "child", "resource"
SESSION = "session = 's-1' AND metadata.`mlflow.trace.session` = 's-1'"
USER = "user = 'ann' AND metadata.`mlflow.trace.user` = 'ann'"
VERSION = "app_version = '2.1.0' AND metadata.app_version = '2.1.0'"
ENVIRONMENT = "environment = 'production' AND metadata.environment = 'prod'"
COMMIT = f"commit = '{'a' * 40}'"
BRANCH = "branch = 'main'"
REPOSITORY = "metadata.`mlflow.source.git.repoURL` = 'https://example.com/shop.git'"
TENANT = "metadata.tenant = 'acme'"
TAG = "tags.beta = 'true'"


class Told(NamedTuple):
    """Who says something, where (`root`, `child`, `resource`), and the filter that finds it."""

    who: str
    where: str
    attributes: dict
    found_by: str


TOLD = (
    # Whence's SDK: per-trace on the root, the process's in the resource
    Told("whence", ROOT, {"whence.metadata.mlflow.trace.session": "s-1"}, SESSION),
    Told("whence", ROOT, {"whence.metadata.mlflow.trace.user": "ann"}, USER),
    Told("whence", ROOT, {"whence.metadata.tenant": "acme"}, TENANT),
    Told("whence", RESOURCE, {"whence.metadata.tenant": "acme"}, TENANT),
    # OpenTelemetry's conventions
    Told("opentelemetry", RESOURCE, {"service.version": "2.1.0"}, VERSION),
    Told("opentelemetry", ROOT, {"service.version": "2.1.0"}, VERSION),
    Told("opentelemetry", RESOURCE, {"deployment.environment.name": "prod"}, ENVIRONMENT),
    Told("opentelemetry", RESOURCE, {"deployment.environment": "prod"}, ENVIRONMENT),
    Told("opentelemetry", RESOURCE, {"vcs.ref.head.revision": "a" * 40}, COMMIT),
    Told("opentelemetry", RESOURCE, {"vcs.repository.ref.revision": "a" * 40}, COMMIT),
    Told("opentelemetry", RESOURCE, {"vcs.ref.head.name": "main"}, BRANCH),
    Told(
        "opentelemetry",
        RESOURCE,
        {"vcs.ref.head.name": "main", "vcs.ref.head.type": "branch"},
        BRANCH,
    ),
    Told(
        "opentelemetry",
        RESOURCE,
        {"vcs.repository.url.full": "https://ann:s3cret@example.com/shop.git"},
        REPOSITORY,
    ),
    Told("opentelemetry", ROOT, {"session.id": "s-1"}, SESSION),
    Told("opentelemetry", ROOT, {"enduser.id": "ann"}, USER),
    # OpenInference: on every span that its instrumentations make
    Told("openinference", CHILD, {"session.id": "s-1"}, SESSION),
    Told("openinference", CHILD, {"user.id": "ann"}, USER),
    Told("openinference", CHILD, {"metadata": '{"tenant": "acme", "n": 1}'}, TENANT),
    Told("openinference", CHILD, {"metadata": '{"n": 1}'}, "metadata.n = 1"),
    Told("openinference", CHILD, {"metadata": '{"a": {"b": 1}}'}, """metadata.a = '{"b":1}'"""),
    Told("openinference", CHILD, {"tag.tags": ["beta", "paid"]}, TAG),
    # OpenLLMetry
    Told("openllmetry", CHILD, {"traceloop.association.properties.session_id": "s-1"}, SESSION),
    Told("openllmetry", CHILD, {"traceloop.association.properties.user_id": "ann"}, USER),
    Told("openllmetry", CHILD, {"traceloop.association.properties.tenant": "acme"}, TENANT),
    Told("openllmetry", CHILD, {"session_id": "s-1"}, SESSION),
    Told("openllmetry", CHILD, {"user_id": "ann"}, USER),
    # Langfuse
    Told("langfuse", ROOT, {"langfuse.session.id": "s-1"}, SESSION),
    Told("langfuse", ROOT, {"langfuse.user.id": "ann"}, USER),
    Told("langfuse", CHILD, {"langfuse.trace.metadata.tenant": "acme"}, TENANT),
    Told("langfuse", ROOT, {"langfuse.trace.metadata": '{"tenant": "acme"}'}, TENANT),
    Told("langfuse", ROOT, {"langfuse.release": "2.1.0"}, VERSION),
    Told("langfuse", ROOT, {"langfuse.version": "2.1.0"}, VERSION),
    Told("langfuse", RESOURCE, {"langfuse.environment": "prod"}, ENVIRONMENT),
    Told("langfuse", ROOT, {"langfuse.trace.tags": ["beta"]}, TAG),
    # Pydantic AI and Logfire
    Told("pydantic ai", CHILD, {"gen_ai.conversation.id": "s-1"}, SESSION),
    Told("pydantic ai", ROOT, {"metadata": '{"tenant": "acme"}'}, TENANT),
    Told("logfire", RESOURCE, {"service.version": "2.1.0"}, VERSION),
    # Vercel's AI SDK
    Told("vercel", CHILD, {"ai.telemetry.metadata.sessionId": "s-1"}, SESSION),
    Told("vercel", CHILD, {"ai.telemetry.metadata.userId": "ann"}, USER),
    Told("vercel", CHILD, {"ai.telemetry.metadata.tenant": "acme"}, TENANT),
    # A baggage processor copies entries to spans under their own names
    Told("baggage", CHILD, {"session.id": "s-1"}, SESSION),
    Told("baggage", CHILD, {"user_id": "ann"}, USER),
    Told("baggage", CHILD, {"whence.metadata.tenant": "acme"}, TENANT),
    # MLflow's own keys, as attributes; tags of the trace travel on its root
    Told("mlflow", ROOT, {"mlflow.trace.session": "s-1"}, SESSION),
    Told("mlflow", CHILD, {"mlflow.trace.user": "ann"}, USER),
    Told("mlflow", RESOURCE, {"mlflow.source.git.commit": "a" * 40}, COMMIT),
    Told("mlflow", RESOURCE, {"mlflow.source.git.branch": "main"}, BRANCH),
    Told(
        "mlflow",
        RESOURCE,
        {"mlflow.source.git.repoURL": "https://ann:s3cret@example.com/shop.git"},
        REPOSITORY,
    ),
    Told("mlflow", ROOT, {"mlflow.traceTag.beta": "true"}, TAG),
)
ENCODINGS = {
    "application/json": otlp_json.encode_request,
    "application/x-protobuf": otlp_protobuf.encode_request,
}


def send(client, content_type, experiment_id, told, where):
    """Store a trace of a root and a child, of which one place tells something."""
    trace_id = f"{next(_numbers):032x}"
    said = {place: told if place == where else {} for place in (ROOT, CHILD, RESOURCE)}
    spans = [
        SpanRecord(
            trace_id=trace_id,
            span_id=f"{number:016x}",
            parent_id=None if place == ROOT else f"{1:016x}",
            name=place,
            start_time_ns=START_NS + number,
            end_time_ns=START_NS + 10,
            attributes=said[place],
        )
        for number, place in ((2, CHILD), (1, ROOT))
    ]
    body = ENCODINGS[content_type]([ResourceSpans(Resource(said[RESOURCE]), spans)])
    headers = {"content-type": content_type, "x-mlflow-experiment-id": experiment_id}
    client.post("/v1/traces", content=body, headers=headers).raise_for_status()
    return f"tr-{trace_id}"


def find(client, experiment_id, filter_string):
    query = {"filter": filter_string, "experiment_id": experiment_id}
    answer = client.get("/api/v1/traces", params=query)
    assert answer.status_code == 200, answer.text
    return [one["info"]["trace_id"] for one in answer.json()["traces"]]


@pytest.mark.parametrize("content_type", ENCODINGS)
@pytest.mark.parametrize("told", TOLD, ids=lambda told: f"{told.who}: {', '.join(told.attributes)}")
def test_a_fact_is_found_by_one_filter_whoever_tells_it(client, experiment_id, told, content_type):
    trace_id = send(client, content_type, experiment_id, told.attributes, told.where)
    assert find(client, experiment_id, told.found_by) == [trace_id]


@pytest.mark.parametrize("content_type", ENCODINGS)
@pytest.mark.parametrize(
    ("where", "attributes", "found_by"),
    [
        (RESOURCE, {"vcs.ref.head.name": "v2", "vcs.ref.head.type": "tag"}, "branch IS NULL"),
        (ROOT, {"session.id": "", "session_id": "s-1"}, SESSION),
        (CHILD, {"metadata": "no object"}, "metadata.no IS NULL"),
        (CHILD, {"metadata": '["a"]'}, "metadata.a IS NULL"),
        (CHILD, {"metadata": '{"empty": "", "none": null, "": 1}'}, "metadata.empty IS NULL"),
        (CHILD, {"metadata": json.dumps({str(n): n for n in range(999)})}, "metadata.`7` IS NULL"),
        (CHILD, {"tag.tags": '["beta"]'}, TAG),
        (CHILD, {"tag.tags": "beta"}, "tags.beta IS NULL"),
        (ROOT, {"traceloop.association.properties.": "x"}, "metadata.`` IS NULL"),
    ],
    ids=str,
)
def test_what_says_nothing_is_absent(
    client, experiment_id, content_type, where, attributes, found_by
):
    trace_id = send(client, content_type, experiment_id, attributes, where)
    assert find(client, experiment_id, found_by) == [trace_id]


def test_the_root_outranks_its_children_and_a_name_outranks_an_object(client, experiment_id):
    trace_id = send(
        client,
        "application/json",
        experiment_id,
        {"service.version": "2", "metadata": '{"app_version": "3", "tenant": "acme"}'},
        ROOT,
    )
    assert find(client, experiment_id, f"app_version = '2' AND {TENANT}") == [trace_id]


def test_a_trace_over_three_services_shows_the_version_of_each(client, experiment_id):
    trace_id = f"{next(_numbers):032x}"
    groups = [
        ResourceSpans(
            Resource({"service.name": name, "service.version": version}),
            [
                SpanRecord(
                    trace_id=trace_id,
                    span_id=f"{number:016x}",
                    parent_id=f"{number - 1:016x}" if number > 1 else None,
                    name=name,
                    start_time_ns=START_NS + number,
                    end_time_ns=START_NS + 10,
                )
            ],
        )
        for number, (name, version) in enumerate(
            (("gateway", "1.0"), ("shop", "2.1.0"), ("stock", "0.3")), start=1
        )
    ]
    for group in reversed(groups):
        body = otlp_protobuf.encode_request([group])
        client.post(
            "/v1/traces", content=body, headers={"content-type": "application/x-protobuf"}
        ).raise_for_status()
    trace = client.get(f"/api/v1/traces/tr-{trace_id}").json()
    assert trace["info"]["app_version"] == "1.0"
    assert [
        (span["name"], span["resource"]["service.name"], span["resource"]["service.version"])
        for span in trace["spans"]
    ] == [("gateway", "gateway", "1.0"), ("shop", "shop", "2.1.0"), ("stock", "stock", "0.3")]
