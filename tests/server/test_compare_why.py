"""What a comparison says of the reasons: shapes of trees, values in common, pairs, first tokens."""

from __future__ import annotations

import json
from random import Random

import pytest

from otlp_requests import body, new_trace_id, span

JSON = {"content-type": "application/json"}
START_NS = 1_700_000_000_000_000_000
MS = 1_000_000


def send_trees(client, version, environment, trees):
    """Send traces; a tree is a list of (name, place of the parent, start in ms, ms, span fields)."""
    spans = []
    for number, tree in enumerate(trees):
        trace_id, begun = new_trace_id(), START_NS + number * 1_000_000_000
        for place, (name, parent, start_ms, ms, fields) in enumerate(tree):
            start_ns = begun + int(start_ms * MS)
            above = {} if parent is None else {"parentSpanId": f"{trace_id[-14:]}{parent:02x}"}
            spans.append(
                span(
                    trace_id,
                    f"{trace_id[-14:]}{place:02x}",
                    name=name,
                    start_ns=start_ns,
                    endTimeUnixNano=str(start_ns + int(ms * MS)),
                    **above,
                    **fields,
                )
            )
    resource = {"service.version": version, "deployment.environment.name": environment}
    content = body(*spans, **resource)
    client.post("/v1/traces", content=content, headers=JSON).raise_for_status()


def ask(client, **question):
    answer = client.post("/api/v1/compare", json=question)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def reshaped(client):
    """2.0 calls its tool three times instead of once, has a new step and lost another one.

    In 2.0 one tenant in five waits long. Both stream: the first token comes after 20 and 60 ms.
    """
    draw = Random(5)

    def noise():
        return draw.lognormvariate(0, 0.1)

    def tool(start_ms):
        return ("search", 0, start_ms, 10 * noise(), {"attributes": {"mlflow.spanType": "TOOL"}})

    def root(total_ms, number, tenant):
        asked = {"whence.inputs": json.dumps({"q": number}), "whence.metadata.tenant": tenant}
        return ("agent", None, 0, total_ms, {"attributes": asked})

    def model(start_ms, first_s):
        seconds = {"gen_ai.response.time_to_first_chunk": str(first_s * noise())}
        return ("complete", 0, start_ms, 40 * noise(), {"attributes": seconds})

    before = [
        [root(80, n, f"t{n % 5}"), tool(2), ("cite", 0, 20, 5, {}), model(30, 0.02)]
        for n in range(150)
    ]
    after = [
        [
            root(100 + (200 if n % 5 == 3 else 0), n, f"t{n % 5}"),
            *(tool(2 + 12 * turn) for turn in range(3)),
            ("guard", 0, 45, 5, {}),
            model(52, 0.06),
        ]
        for n in range(150)
    ]
    send_trees(client, "1.0", "reshaped", before)
    send_trees(client, "2.0", "reshaped", after)
    return ask(client, baseline="1.0", candidate="2.0", environment="reshaped")


def test_spans_that_came_and_went_are_named(reshaped):
    presence = {(one["name"], one["change"]): one for one in reshaped["explanation"]["presence"]}
    assert set(presence) == {("guard", "added"), ("cite", "removed")}
    assert presence["guard", "added"]["traces"] == 1


def test_a_loop_is_told_by_its_calls(client, reshaped):
    shapes = {one["description"]: one for one in reshaped["explanation"]["shapes"]}
    loop = shapes["calls of search below agent"]
    assert (loop["baseline"], loop["candidate"]) == (pytest.approx(1), pytest.approx(3))
    spans = {one["name"]: one for one in reshaped["explanation"]["spans"]}
    assert spans["search"]["by_calls_ms"] == pytest.approx(20, rel=0.1)
    assert abs(spans["search"]["by_mean_ms"]) < 2
    calls = next(one for one in reshaped["metrics"] if one["metric"] == "tool_calls")
    assert (calls["baseline"], calls["candidate"]) == (pytest.approx(1), pytest.approx(3))
    assert calls["verdict"] == "regressed"


def test_own_times_add_up_to_the_whole_difference(reshaped):
    spans = reshaped["explanation"]["spans"]
    assert sum(one["difference_ms"] for one in spans) == pytest.approx(60, abs=1)
    assert sum(one["share"] for one in spans) == pytest.approx(1)
    for one in spans:
        assert one["by_calls_ms"] + one["by_mean_ms"] == pytest.approx(one["difference_ms"])


def test_what_slow_traces_have_in_common_is_found(client, reshaped):
    # All of 2.0 are slower than 1.0; of a third version only one tenant's are.
    draw = Random(6)
    trees = [
        [
            (
                "agent",
                None,
                0,
                (80 + (150 if n % 5 == 3 else 0)) * draw.lognormvariate(0, 0.05),
                {"attributes": {"whence.metadata.tenant": f"t{n % 5}"}},
            )
        ]
        for n in range(300)
    ]
    calm = [[(*tree[0][:3], 80 * draw.lognormvariate(0, 0.05), tree[0][4])] for tree in trees]
    send_trees(client, "3.0", "tenants", calm)
    send_trees(client, "3.1", "tenants", trees)
    found = ask(client, baseline="3.0", candidate="3.1", environment="tenants")
    first = found["explanation"]["overrepresented"][0]
    assert (first["selected"], first["field"], first["value"]) == ("slow", "metadata.tenant", "t3")
    assert first["explained"] > 0.7
    assert first["q_value"] < 0.001
    asked = {"filter": first["filter_string"], "max_results": 500}
    assert len(client.get("/api/v1/traces", params=asked).json()["traces"]) == 60


def test_pairs_were_asked_the_same_where_there_is_such_a_pair(client, reshaped):
    pairs = reshaped["explanation"]["exemplars"]
    assert pairs
    for pair in pairs:
        assert pair["basis"] == "same input"
        questions = {
            client.get(f"/api/v1/traces/{pair[arm]}").json()["info"]["request_preview"]
            for arm in ("baseline", "candidate")
        }
        assert len(questions) == 1
    assert len({pair["baseline"] for pair in pairs}) == len(pairs)


def test_the_time_to_the_first_token_is_compared_where_it_is_recorded(reshaped):
    first = next(one for one in reshaped["metrics"] if one["metric"] == "time_to_first_token")
    assert first["baseline"] == pytest.approx(50, rel=0.1)
    assert first["candidate"] == pytest.approx(112, rel=0.1)
    assert first["verdict"] == "regressed"
    assert first["guard"]


def test_what_nobody_recorded_is_not_listed(client):
    send_trees(client, "4.0", "bare", [[("agent", None, 0, 50, {})]] * 6)
    send_trees(client, "4.1", "bare", [[("agent", None, 0, 50, {})]] * 6)
    found = ask(client, baseline="4.0", candidate="4.1", environment="bare")
    names = {one["metric"] for one in found["metrics"]}
    assert {"duration", "error_rate", "span_count"} <= names
    assert not names & {"total_tokens", "cost_usd", "tool_calls", "time_to_first_token"}
