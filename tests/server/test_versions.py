"""Versions over HTTP: manifests that are what they are called, and versions without any manifest."""

from __future__ import annotations

import itertools

import pytest
from tests.server.test_documents import attributes_of, send

from otlp_requests import body, new_trace_id, span
from whence.entities.version_manifest import PromptVersion, VersionManifest, digest_of

JSON = {"content-type": "application/json"}
START_NS = 1_700_000_000_000_000_000
_numbers = itertools.count(70_000)


@pytest.fixture
def experiment():
    return str(next(_numbers))


def record(client, experiment, *, at_s=0, status=0, **resource):
    """Send one trace; its resource says which code it came from."""
    trace_id = new_trace_id()
    start = START_NS + at_s * 1_000_000_000
    root = span(trace_id, name="answer", start_ns=start, status={"code": status})
    named = {"mlflow.experimentId": experiment, **resource}
    content = body(root, **named)
    client.post("/v1/traces", content=content, headers=JSON).raise_for_status()
    return f"tr-{trace_id}"


def declare(client, **given):
    """Send a manifest; return the attribute by which traces name it."""
    manifest = VersionManifest(**given)
    sent = send(client, attributes_of(manifest.digest, manifest.to_text(), "manifest"))
    assert sent.json() == {}
    return {"whence.metadata.whence.manifest": manifest.digest}


def list_versions(client, experiment, **query):
    query = {"experiment_id": experiment, **query}
    return client.get("/api/v1/versions", params=query).raise_for_status().json()["versions"]


def compare(client, experiment, before, after):
    query = {"experiment_id": experiment, "before": before, "after": after}
    return client.get("/api/v1/versions/diff", params=query)


@pytest.mark.parametrize(
    ("kind", "name", "text", "message"),
    [
        ("manifest", "f" * 64, "{}", "its text has the SHA-256"),
        ("manifest", digest_of("[]"), "[]", "its text is no manifest"),
        ("manifest", digest_of("[" * 5000), "[" * 5000, "its text is no manifest"),
        ("prompt", "f" * 64, "text", "its text has the SHA-256"),
        ("ancestors", "a" * 40, "not a commit", "no commit of 40 or 64 hex digits"),
        ("ancestors", "a" * 40, "\n".join(["b" * 40] * 1001), "1001 lines"),
    ],
)
def test_a_document_that_is_not_what_it_is_called_is_refused_and_said(
    client, kind, name, text, message
):
    answer = send(client, attributes_of(name, text, kind))
    assert answer.status_code == 200
    assert message in answer.json()["partialSuccess"]["errorMessage"]
    assert client.get(f"/api/v1/documents/{kind}/{name}").status_code == 404


def test_traces_of_other_programs_have_versions_by_number_and_by_commit(client, experiment):
    old, new = "a" * 40, "b" * 40
    record(client, experiment, at_s=1, **{"vcs.ref.head.revision": old})
    record(client, experiment, at_s=2, status=2, **{"vcs.ref.head.revision": new})
    record(client, experiment, at_s=3, **{"service.version": "0.9"})
    record(client, experiment, at_s=4)
    rows = list_versions(client, experiment)
    assert [(row["app_version"], row["commit"], row["errors"]) for row in rows] == [
        (None, None, 0),
        ("0.9", None, 0),
        (None, new, 1),
        (None, old, 0),
    ]
    diff = compare(client, experiment, "aaaaaaa", new).json()
    assert [side["kind"] for side in (diff["before"], diff["after"])] == ["commit", "commit"]
    assert "has no manifest" in diff["notes"][0]


def test_one_version_from_two_commits_is_said_without_manifests_too(client, experiment):
    for number, commit in enumerate(("c" * 40, "d" * 40)):
        named = {"service.version": "1.2.0", "vcs.ref.head.revision": commit}
        record(client, experiment, at_s=number, **named)
    (row,) = list_versions(client, experiment)
    assert row["warnings"] == ["1.2.0 names 2 commits"]


def test_one_version_deployed_twice_from_different_code_is_two_manifests(client, experiment):
    for number, commit in enumerate(("c" * 40, "d" * 40)):
        manifest = declare(client, app_version="1.2.0", commit=commit, distributions_hash="x")
        named = {"service.version": "1.2.0", "deployment.environment.name": f"place-{number}"}
        record(client, experiment, at_s=number, **named, **manifest)
    (row,) = list_versions(client, experiment)
    assert row["manifest_count"] == 2
    said = "1.2.0 names 2 different manifests: they differ in commit"
    assert row["warnings"] == [said]
    rows = list_versions(client, experiment, by="environment")
    assert [(one["environment"], one["warnings"]) for one in rows] == [
        ("place-0", [said]),
        ("place-1", [said]),
    ]


def test_two_services_of_one_version_are_no_contradiction(client, experiment):
    for service in ("web", "worker"):
        manifest = declare(
            client, app_version="1", service=service, distributions_hash=service, commit="e" * 40
        )
        record(client, experiment, **{"service.version": "1"}, **manifest)
    (row,) = list_versions(client, experiment)
    assert (row["manifest_count"], row["warnings"]) == (2, [])


def test_commits_order_versions_that_their_numbers_would_not(client, experiment):
    first, second, third = (f"9e{digit}" + digit * 37 for digit in "123")
    for commit, line in ((second, [first]), (third, [second, first]), (third, [second])):
        sent = send(client, attributes_of(commit, "\n".join(line), "ancestors"))
        assert sent.json() == {}
    for name, commit in (("2.0", first), ("1.10", third), ("1.9", second)):
        named = {"service.version": name, "vcs.ref.head.revision": commit}
        record(client, experiment, **named)
    rows = list_versions(client, experiment)
    assert [row["app_version"] for row in rows] == ["1.10", "1.9", "2.0"]
    commits = compare(client, experiment, "1.10", "2.0").json()["commits"]
    assert (commits["order"], commits["count"]) == ("backward", 2)


def test_a_deleted_trace_counts_nowhere(client, experiment):
    manifest = declare(client, app_version="5", commit="f" * 40)
    ids = [record(client, experiment, **{"service.version": "5"}, **manifest) for _ in range(2)]
    for trace_id in ids:
        judged = {"assessment_name": "good", "feedback": {"value": trace_id == ids[0]}}
        judged["source"] = {"source_type": "HUMAN", "source_id": "ann"}
        client.post(f"/api/v1/traces/{trace_id}/assessments", json=judged).raise_for_status()
    client.post("/api/v1/traces/delete", json={"trace_ids": ids[:1]}).raise_for_status()
    (row,) = list_versions(client, experiment, quality=True)
    assert (row["traces"], row["manifests"][0]["traces"]) == (1, 1)
    assert [(one["mean"], one["count"]) for one in row["quality"]] == [(0.0, 1)]
    client.post("/api/v1/traces/delete", json={"trace_ids": ids[1:]}).raise_for_status()
    digest = manifest["whence.metadata.whence.manifest"]
    query = {"version": digest, "experiment_id": experiment}
    assert client.get("/api/v1/versions/detail", params=query).status_code == 404


def test_the_beginning_of_several_commits_is_no_name(client, experiment):
    for end in "01":
        record(client, experiment, **{"vcs.ref.head.revision": "abcdef01" + end * 32})
    answer = compare(client, experiment, "abcdef01", "abcdef01")
    assert answer.status_code == 400
    assert "begins more than one version: commit abcdef010" in answer.json()["message"]


def test_prompts_too_long_or_not_kept_are_said_to_differ(client, experiment):
    long, other = ("word\n" * 60_000, "words\n" * 60_000)
    for text in (long, other):
        send(client, attributes_of(digest_of(text), text, "prompt")).raise_for_status()

    def version(name, text, hidden):
        prompts = {
            "long": PromptVersion(digest_of(text), len(text), digest_of(text)),
            "hidden": PromptVersion(digest_of(hidden), len(hidden), digest_of(hidden)),
        }
        manifest = declare(client, app_version=name, prompts=prompts)
        record(client, experiment, **{"service.version": name}, **manifest)

    version("1", long, "secret")
    version("2", other, "another secret")
    hidden, long_one = compare(client, experiment, "1", "2").json()["prompts"]
    assert (hidden["diff"], long_one["diff"]) == (None, None)
    assert "not kept" in hidden["note"]
    assert "too long to compare" in long_one["note"]
