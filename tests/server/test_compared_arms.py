"""What a comparison takes for its arms: manifests, and the baseline that nobody named."""

from __future__ import annotations

import pytest
from tests.server.test_documents import attributes_of
from tests.server.test_documents import send as send_document

from compared_traces import draw_calls, send
from whence.entities.version_manifest import VersionManifest

MAIN = [f"{number:x}a" * 20 for number in range(1, 6)]  # 1… is the oldest
BRANCH = ["ac" * 20, "bc" * 20]  # left main after 2…
COMMIT = "vcs.ref.head.revision"


def ask(client, **question):
    answer = client.post("/api/v1/compare", json={"explain": False, **question})
    assert answer.status_code == 200, answer.text
    return answer.json()


def tell_ancestors(client, commit, *ancestors):
    sent = send_document(client, attributes_of(commit, "\n".join(ancestors), "ancestors"))
    assert sent.json() == {}


def declare(client, **given):
    manifest = VersionManifest(app_version="1.2.0", commit=MAIN[0], **given)
    sent = send_document(client, attributes_of(manifest.digest, manifest.to_text(), "manifest"))
    assert sent.json() == {}
    return manifest.digest


@pytest.fixture(scope="module")
def deployed_twice(client):
    """1.2.0 was deployed from two states of its dependencies, the second one slower."""
    digests = [declare(client, distributions_hash=one) for one in ("lock-1", "lock-2")]
    for number, digest in enumerate(digests):
        calls = draw_calls(150, 60 + number, typical_ms=100.0 + 80 * number)
        named = {"whence.metadata.whence.manifest": digest, COMMIT: MAIN[0]}
        send(client, "1.2.0", "twice", calls, named)
    send(client, "1.1.0", "twice", draw_calls(150, 62))
    return digests


def test_two_manifests_of_one_version_are_compared(client, deployed_twice):
    one, other = deployed_twice
    found = ask(client, baseline=f"manifest:{one[:12]}", candidate=other[:9], environment="twice")
    assert [(found[arm]["kind"], found[arm]["traces"]) for arm in ("baseline", "candidate")] == [
        ("manifest", 150),
        ("manifest", 150),
    ]
    assert found["verdict"] == "regressed"
    assert found["baseline"]["filter_string"].startswith(f"metadata.whence.manifest = '{one}'")
    assert not any("manifests" in note for note in found["notes"])


def test_a_version_deployed_from_two_manifests_is_said_to_be_a_mixture(client, deployed_twice):
    found = ask(client, baseline="1.1.0", candidate="1.2.0", environment="twice")
    (doubt,) = [note for note in found["notes"] if "manifests" in note]
    assert doubt.startswith("1.2.0 names 2 different manifests: they differ in dependencies")
    assert "manifest:<digest>" in doubt


def test_the_beginning_of_two_manifests_is_refused_by_naming_them(client):
    seen, number = {}, 0
    while True:  # two digests whose first seven digits are the same: some twenty thousand tries
        text = VersionManifest(app_version="c", distributions_hash=str(number))
        beginning = text.digest[:7]
        if beginning in seen:
            break
        seen[beginning] = text
        number += 1
    for one in (seen[beginning], text):
        send_document(client, attributes_of(one.digest, one.to_text(), "manifest"))
    answer = client.post("/api/v1/compare", json={"candidate": f"manifest:{beginning}"})
    assert answer.status_code == 400
    assert seen[beginning].digest in answer.text and text.digest in answer.text


@pytest.mark.parametrize("arm", ["manifest:abc", "manifest:not-hex-digits", "manifest:"])
def test_what_is_no_digest_is_refused(client, arm):
    answer = client.post("/api/v1/compare", json={"candidate": arm})
    assert answer.status_code == 400
    assert "hex digits" in answer.text


@pytest.fixture(scope="module")
def history(client):
    for number, commit in enumerate(MAIN[1:], 1):
        tell_ancestors(client, commit, *reversed(MAIN[:number]))
    tell_ancestors(client, BRANCH[0], MAIN[1], MAIN[0])
    tell_ancestors(client, BRANCH[1], BRANCH[0], MAIN[1], MAIN[0])


def test_a_branch_is_compared_with_where_it_left_not_with_what_came_last(client, history):
    for name, commit, count in (
        ("m1", MAIN[0], 40),
        ("m2", MAIN[1], 40),
        ("m3", MAIN[2], 40),
        ("f1", BRANCH[0], 10),  # not enough
        ("f2", BRANCH[1], 40),
    ):
        send(client, name, "history", draw_calls(count, 70), {COMMIT: commit})
    for candidate in ("f2", f"commit:{BRANCH[1][:10]}"):
        found = ask(client, candidate=candidate, environment="history")
        assert found["baseline"]["asked"] == "m2", found["notes"]
        assert any("in its history (2 commits back)" in note for note in found["notes"])
    assert ask(client, candidate="m3", environment="history")["baseline"]["asked"] == "m2"


def test_without_traffic_in_its_history_the_nearest_merge_base_tells(client, history):
    for name, commit in (("later", MAIN[3]), ("branch", BRANCH[1]), ("old", "9" * 40)):
        send(client, name, "merged", draw_calls(40, 71), {COMMIT: commit})
    found = ask(client, candidate="branch", environment="merged")
    assert found["baseline"]["asked"] == "later"
    assert any(f"merge base {MAIN[1][:10]}" in note for note in found["notes"])
    refused = client.post("/api/v1/compare", json={"candidate": "nobody", "environment": "merged"})
    assert refused.status_code == 400
    assert "name the baseline" in refused.text


def test_commits_without_a_version_are_baselines_too(client):
    send(client, None, "bare", draw_calls(40, 72), {COMMIT: MAIN[0]})
    send(client, None, "bare", draw_calls(40, 73), {COMMIT: MAIN[1]})
    found = ask(client, candidate=f"commit:{MAIN[1]}", environment="bare")
    assert (found["baseline"]["kind"], found["baseline"]["asked"]) == ("commit", MAIN[0])
