"""Judgements in pairs where the same input ran in both, and what a change of cost is made of."""

from __future__ import annotations

import pytest

from compared_traces import draw_calls, send


def ask(client, **question):
    answer = client.post("/api/v1/compare", json=question)
    assert answer.status_code == 200, answer.text
    return answer.json()


def metric_of(found, name):
    return next(one for one in found["metrics"] if one["metric"] == name)


def judge(client, ids, name, values):
    for trace_id, value in zip(ids, values, strict=True):
        judged = {
            "assessment_name": name,
            "source": {"source_type": "LLM_JUDGE", "source_id": "judge-1"},
            "feedback": {"value": value},
        }
        client.post(f"/api/v1/traces/{trace_id}/assessments", json=judged).raise_for_status()


def ask_all(client, version, environment, questions, seed):
    calls = [
        one._replace(question=question, session="")
        for one, question in zip(draw_calls(len(questions), seed), questions, strict=True)
    ]
    return send(client, version, environment, calls)


def test_the_same_questions_are_judged_pair_by_pair(client):
    """Half of the questions are hard: between them scores differ far more than between versions."""
    questions = [f"question {number}" for number in range(80)]
    means: list[float] = []
    for version, seed, loss in (("q1", 1, 0.0), ("q2", 2, 0.08)):
        ids = ask_all(client, version, "paired", questions, seed)
        hard = [0.2 if number % 2 else 0.9 for number in range(80)]
        scores = [s - loss + (number * (seed + 5) % 11) / 400 for number, s in enumerate(hard)]
        means.append(sum(scores) / 80)
        judge(client, ids, "score", scores)
        correct = [number % 2 == 0 and not (loss and number % 10 == 0) for number in range(80)]
        judge(client, ids, "correct", correct)
    found = ask(client, baseline="q1", candidate="q2", environment="paired", explain=False)
    score, correct = (metric_of(found, f"feedback.{name}") for name in ("score", "correct"))
    assert score["method"] == "paired, mean difference"
    assert (score["verdict"], score["n_candidate"]) == ("regressed", 80)
    assert score["effect"] == pytest.approx(means[1] - means[0], abs=1e-9)
    assert correct["method"] == "paired, Tango"
    assert correct["effect"] == pytest.approx(-0.1)
    assert any("80 inputs that ran in both versions" in note for note in found["notes"])


def test_other_questions_are_compared_as_two_groups(client):
    for version, seed in (("g1", 3), ("g2", 4)):
        questions = [f"{version} asks {number}" for number in range(60)]
        judge(
            client, ask_all(client, version, "grouped", questions, seed), "score", [0.5, 0.7] * 30
        )
    found = ask(client, baseline="g1", candidate="g2", environment="grouped", explain=False)
    assert metric_of(found, "feedback.score")["method"] == "difference of means"
    assert not any("pair by pair" in note for note in found["notes"])


@pytest.fixture(scope="module")
def costs(client):
    """c2 sends a third of its calls to a model that costs ten times as much per token."""
    for version, seed, dear in (("c1", 5, 0), ("c2", 6, 3)):
        calls = []
        for number, one in enumerate(draw_calls(300, seed, turns=3)):
            is_dear = dear and number % dear == 0
            price = 1e-5 if is_dear else 1e-6
            spent = price * 2 * one.tokens * (400 if version == "c1" and number == 7 else 1)
            calls.append(one._replace(model="big" if is_dear else "small", cost_usd=spent))
        send(client, version, "costs", calls)


def test_a_change_of_cost_is_split_into_price_tokens_and_models(client, costs):
    found = ask(client, baseline="c1", candidate="c2", environment="costs")
    parts = {one["name"]: one for one in found["explanation"]["cost"]}
    cost = metric_of(found, "cost_usd")
    assert sum(one["effect_usd"] for one in parts.values()) == pytest.approx(cost["difference"])
    assert parts["models"]["low_usd"] > 0
    assert abs(parts["tokens"]["effect_usd"]) < parts["models"]["effect_usd"] / 5


def test_one_very_dear_trace_is_cut_in_the_winsorised_row_and_nowhere_else(client, costs):
    found = ask(client, baseline="c1", candidate="c2", environment="costs", explain=False)
    raw, cut = metric_of(found, "cost_usd"), metric_of(found, "cost_usd_winsorised")
    assert raw["baseline"] > 1.5 * cut["baseline"]
    assert (cut["guard"], cut["method"]) == (False, "winsorised at p99")


def test_sessions_have_means_of_their_own(client, costs):
    found = ask(client, baseline="c1", candidate="c2", environment="costs", explain=False)
    trace, session = (
        metric_of(found, name) for name in ("total_tokens", "total_tokens_per_session")
    )
    assert session["baseline"] == pytest.approx(3 * trace["baseline"])
    assert (session["n_baseline"], trace["n_baseline"]) == (100, 300)
