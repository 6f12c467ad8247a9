"""The assembly rule, case by case."""

from __future__ import annotations

import json

import pytest

from whence import semconv
from whence.ingest.assemble import assemble
from whence.ingest.facts import SpanFacts
from whence.ingest.header import Header, Refusal


def facts(span_id, parent_id="", **fields):
    defaults = {"start_time_ns": 1_000_000, "end_time_ns": 2_000_000}
    return SpanFacts(span_id=span_id, parent_id=parent_id, **{**defaults, **fields})


def row_of(*spans, header=None):
    return assemble("tr-x", spans, header)[0]


@pytest.mark.parametrize(
    ("spans", "header", "state"),
    [
        ([facts("a")], None, "OK"),
        ([facts("a", error=True)], None, "ERROR"),
        ([facts("a", error=True, state="OK")], None, "OK"),
        ([facts("a", end_time_ns=0, state="ERROR")], None, "IN_PROGRESS"),
        ([facts("b", "a")], None, "IN_PROGRESS"),
        ([facts("b", "a", local_root=True)], None, "OK"),
        ([facts("b", "a", local_root=True, error=True)], None, "ERROR"),
        ([facts("b", "a", local_root=True), facts("a", end_time_ns=0)], None, "IN_PROGRESS"),
        (
            [facts("b", "a", local_root=True, end_time_ns=0), facts("c", "a", local_root=True)],
            None,
            "OK",
        ),
        ([facts("a")], Header(trace_id="tr-x", state="ERROR"), "ERROR"),
        ([facts("a", error=True)], Header(trace_id="tr-x", state="IN_PROGRESS"), "ERROR"),
        ([facts("a")], Header(trace_id="tr-x", state="STATE_UNSPECIFIED"), "OK"),
        ([], Header(trace_id="tr-x"), "IN_PROGRESS"),
        ([], Header(trace_id="tr-x", state="OK"), "OK"),
    ],
)
def test_the_state(spans, header, state):
    assert row_of(*spans, header=header).state == state


def test_usage_and_cost_are_counted_at_the_topmost_span_that_has_them():
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    cost = {"input_cost": 0.1, "output_cost": 0.2, "total_cost": 0.3}
    row = row_of(
        facts("root"),
        facts("wrapper", "root", usage=usage),
        facts("call", "wrapper", usage=usage, cost=cost),
        facts("retry", "call", usage=usage, cost=cost),
        facts("orphan", "unknown", usage={**usage, "cache_read_input_tokens": 2}),
    )
    assert (row.input_tokens, row.output_tokens, row.total_tokens) == (20, 10, 30)
    assert row.cost_usd == pytest.approx(0.3)
    assert json.loads(row.metadata[semconv.TOKEN_USAGE]) == {
        "input_tokens": 20,
        "output_tokens": 10,
        "total_tokens": 30,
        "cache_read_input_tokens": 2,
    }
    assert json.loads(row.metadata[semconv.COST])["total_cost"] == pytest.approx(0.3)


def test_without_usage_there_is_no_key():
    row = row_of(facts("a"))
    assert semconv.TOKEN_USAGE not in row.metadata
    assert (row.input_tokens, row.cost_usd) == (None, None)


def test_what_a_header_says_about_tokens_stands_and_fills_the_columns():
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    said = '{"input_tokens": 7, "output_tokens": 8, "total_tokens": 15}'
    header = Header(trace_id="tr-x", trace_metadata={semconv.TOKEN_USAGE: said})
    row = row_of(facts("a", usage=usage), header=header)
    assert (row.metadata[semconv.TOKEN_USAGE], row.total_tokens) == (said, 15)


def test_sizes_are_interpolated_and_a_program_cannot_set_them():
    spans = [facts(str(n), "0" if n else "", size_bytes=n * 10) for n in range(5)]
    spans[0] = facts("0", explicit={semconv.SIZE_BYTES: "1"})
    row = row_of(*spans)
    assert row.metadata[semconv.SIZE_BYTES] == "100"
    assert json.loads(row.metadata[semconv.SIZE_STATS]) == {
        "total_size_bytes": 100,
        "num_spans": 5,
        "max": 40,
        "p25": 10,
        "p50": 20,
        "p75": 30,
    }


def test_the_layers_of_one_span_rank_explicit_before_attribute_before_resource():
    row = row_of(
        facts(
            "a",
            explicit={"app_version": "1"},
            derived={"app_version": "2", "region": "2"},
            resource={"app_version": "3", "region": "3", "host.name": "3"},
        )
    )
    assert row.app_version == "1"
    assert (row.metadata["region"], row.metadata["host.name"]) == ("2", "3")


def test_only_explicit_values_make_a_conflict():
    root = facts("a", derived={"app_version": "root"})
    child = facts("b", "a", explicit={"app_version": "child"}, resource={"region": "x"})
    row, conflicts = assemble("tr-x", [root, child])
    assert row.app_version == "root"
    assert conflicts == []


def test_an_environment_is_normalised_and_its_verbatim_value_kept():
    row = row_of(facts("a", explicit={"environment": " PRD "}))
    assert (row.environment, row.metadata_environment) == ("production", " PRD ")
    assert row_of(facts("a")).environment is None


def test_an_empty_value_of_a_header_is_not_absent():
    header = Header(trace_id="tr-x", trace_metadata={semconv.SESSION: "", "note": ""})
    row = row_of(facts("a"), header=header)
    assert (row.session, row.metadata["note"]) == ("", "")


def test_an_empty_source_or_git_value_is_absent_whoever_sends_it():
    empty = dict.fromkeys((semconv.GIT_COMMIT, semconv.GIT_BRANCH, semconv.SOURCE_NAME), "")
    header = Header(trace_id="tr-x", trace_metadata=empty)
    row = row_of(facts("a", explicit=empty, derived=empty, resource=empty), header=header)
    assert (row.commit, row.branch) == (None, None)
    assert semconv.SOURCE_NAME not in row.metadata


def test_what_a_client_left_empty_is_filled_by_its_spans():
    header = Header(trace_id="tr-x", trace_metadata={semconv.GIT_BRANCH: ""})
    assert row_of(facts("a", resource={semconv.GIT_BRANCH: "main"}), header=header).branch == "main"


def test_of_spans_that_are_each_others_ancestors_the_first_is_the_root():
    circle = [facts("a", "b", start_time_ns=3_000_000), facts("b", "c", name="first")]
    circle.append(facts("c", "a", start_time_ns=2_000_000, error=True))
    row = row_of(*circle, facts("d", "a", name="below", start_time_ns=0))
    assert (row.state, row.trace_name, row.request_time_ms) == ("OK", "first", 1)


def test_a_circle_with_a_parent_to_come_waits_for_it():
    circle = [facts("a", "b"), facts("b", "a")]
    assert row_of(*circle, facts("d", "not here yet")).state == "IN_PROGRESS"
    assert row_of(*circle, facts("root", error=True)).state == "ERROR"


def test_a_refused_key_that_a_column_is_named_like_stays_absent():
    refused = [Refusal("span_count", "9", "root"), Refusal("state", "x", "root")]
    _, conflicts = assemble("tr-x", [facts("a")], refusals=refused)
    assert [(row.key, row.kept, row.absent) for row in conflicts] == [
        ("span_count", "", 1),
        ("state", "", 1),
    ]
    assert row_of(facts("a")).commit is None


def test_the_duration_without_a_root_spans_what_is_there():
    row = row_of(
        facts("b", "a", start_time_ns=5_000_000, end_time_ns=9_000_000),
        facts("c", "a", start_time_ns=2_000_000, end_time_ns=0),
    )
    assert (row.request_time_ms, row.duration_ns) == (2, 7_000_000)


def test_a_clock_that_ran_backwards_gives_no_negative_duration():
    assert row_of(facts("a", start_time_ns=9, end_time_ns=3)).duration_ns == 0


def test_models_are_listed_once():
    row = row_of(facts("a", model="m2"), facts("b", "a", model="m1"), facts("c", "a", model="m2"))
    assert row.models == ["m1", "m2"]


def test_what_another_service_says_of_itself_is_no_word_about_the_root_that_is_silent():
    gateway = {"service.name": "gateway", "app_version": "1.0"}
    shop = {"service.name": "shop", "app_version": "2.1.0", semconv.GIT_COMMIT: "b" * 40}
    fuller = {**gateway, semconv.GIT_COMMIT: "a" * 40}
    root = facts("a", resource=gateway)
    remote = facts("b", "a", local_root=True, resource=shop, explicit={"tenant": "acme"})
    row = row_of(remote, root)
    assert (row.app_version, row.commit, row.metadata["tenant"]) == ("1.0", None, "acme")
    assert row_of(remote, facts("c", "a", resource=fuller), root).commit == "a" * 40
    assert row_of(remote).commit == "b" * 40  # until the root has come
