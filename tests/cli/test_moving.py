"""`whence export`, `import`, `tag`, `delete`: traces to files and back, and what may change."""

from __future__ import annotations

import gzip
import json

import httpx
import pyarrow.parquet as pq
import pytest

from otlp_requests import body, new_trace_id, span
from serving import serving

IN_500 = ("--experiment", "500")
COMPUTED = ("mlflow.trace.sizeBytes", "mlflow.trace.sizeStats")


@pytest.fixture
def elsewhere(tmp_path):
    with serving(tmp_path / "elsewhere") as running:
        yield running


def record_in(server, experiment: str) -> str:
    """Record one trace; return its id."""
    trace_id = new_trace_id()
    content = body(span(trace_id), **{"mlflow.experimentId": experiment})
    headers = {"content-type": "application/json"}
    httpx.post(f"{server.url}/v1/traces", content=content, headers=headers).raise_for_status()
    return f"tr-{trace_id}"


def read(url: str, trace_id: str) -> dict:
    """Return a trace without what depends on how it was written."""
    trace = httpx.get(f"{url}/api/v1/traces/{trace_id}").json()
    for key in COMPUTED:
        trace["info"]["trace_metadata"].pop(key)
    trace["info"].pop("size_bytes")
    for one in trace["spans"]:
        one.pop("size_bytes")
        one["attributes"] = {
            key: value
            for key, value in one["attributes"].items()
            if not key.startswith(("mlflow.traceTag.", "whence."))
        }
    return trace


def test_an_exported_trace_is_restored_with_metadata_tags_and_assessments(
    whence, server, traces, elsewhere
):
    judged = {
        "assessment_name": "relevance",
        "source": {"source_type": "HUMAN", "source_id": "ann"},
        "feedback": {"value": 0.5},
    }
    for trace_id in traces:
        path = f"{server.url}/api/v1/traces/{trace_id}/assessments"
        httpx.post(path, json=judged).raise_for_status()
    assert whence("tag", traces[0], "reviewed=yes", "a/b=c", "team=changed").code == 0
    assert whence("tag", traces[1], "--delete", "team").code == 0

    done = whence("export", "metadata.region = 'eu'", "traces.jsonl", *IN_500)
    assert done.code == 0 and done.out == "" and "3 traces" in done.err
    done = whence("import", "traces.jsonl", "--url", elsewhere.url)
    assert (
        done.code == 0
        and "requests sent: 3, assessments: 3" in done.err
        and "missing" not in done.err
    )
    for trace_id in traces:
        restored, original = read(elsewhere.url, trace_id), read(server.url, trace_id)
        assert restored["info"] == original["info"]
        for one, other in zip(restored["spans"], original["spans"], strict=True):
            assert one == other


def test_importing_again_changes_nothing(whence, server, traces):
    before = [read(server.url, trace_id) for trace_id in traces]
    whence("export", "traces.jsonl", *IN_500)
    done = whence("import", "traces.jsonl")
    assert done.code == 0 and "missing" not in done.err
    assert [read(server.url, trace_id) for trace_id in traces] == before


def test_importing_again_leaves_what_was_judged_since_as_it_is(whence, server, traces):
    path = f"{server.url}/api/v1/traces/{traces[0]}/assessments"
    for name in ("kept", "changed", "deleted"):
        judged = {"assessment_id": f"a-{name}", "assessment_name": name, "feedback": {"value": 1}}
        httpx.post(path, json=judged).raise_for_status()
    whence("export", "traces.jsonl", *IN_500)
    new = {"assessment": {"feedback": {"value": 2}}, "update_mask": ["feedback"]}
    httpx.patch(f"{path}/a-changed", json=new).raise_for_status()
    httpx.delete(f"{path}/a-deleted").raise_for_status()
    before = read(server.url, traces[0])
    for command in (("import",), ("import", "otlp")):
        done = whence(*command, "traces.jsonl")
        assert done.code == 0, done.err
        assert read(server.url, traces[0]) == before
    values = {
        one["assessment_name"]: one["feedback"]["value"] for one in before["info"]["assessments"]
    }
    assert values["kept"] == 1 and values["changed"] == 2 and "deleted" not in values


def test_an_export_is_otlp_that_any_receiver_reads(whence, traces):
    lines = whence("export", "-", *IN_500).out.splitlines()
    assert len(lines) == 3
    for line in lines:
        (group,) = json.loads(line)["resourceSpans"]
        (scope,) = group["scopeSpans"]
        assert {len(one["traceId"]) for one in scope["spans"]} == {32}


def test_an_export_to_parquet_has_a_row_a_trace(whence, traces, tmp_path):
    assert whence("export", "traces.parquet", *IN_500).code == 0
    assert pq.read_table(tmp_path / "traces.parquet").num_rows == 3


def test_files_of_other_tools_are_imported_also_compressed(whence, server, tmp_path):
    ids = [new_trace_id() for _ in range(20)]
    lines = b"".join(body(span(one)) + b"\n" for one in ids)
    (tmp_path / "other.jsonl.gz").write_bytes(gzip.compress(lines))
    assert whence("import", "other.jsonl.gz").code == 0
    for one in ids:
        assert httpx.get(f"{server.url}/api/v1/traces/tr-{one}").status_code == 200


def test_an_import_reads_stdin(whence, server):
    trace_id = new_trace_id()
    assert whence("import", "-", text=body(span(trace_id)).decode()).code == 0
    assert httpx.get(f"{server.url}/api/v1/traces/tr-{trace_id}").status_code == 200


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"resourceSpans":[]}\n{"resourceSpans":[', "line 2"),
        (body(span("abc")).decode(), "line 1"),
        ("[]", "line 1"),
    ],
)
def test_a_line_that_is_no_otlp_is_named(whence, text, place):
    done = whence("import", "-", text=text)
    assert done.code == 2 and place in done.err


def test_an_import_is_split_where_the_server_takes_less(whence, tmp_path):
    ids = [new_trace_id() for _ in range(30)]
    lines = b"".join(body(span(one, name="x" * 5_000)) + b"\n" for one in ids)
    (tmp_path / "large.jsonl").write_bytes(lines)
    with serving(tmp_path / "small", WHENCE_MAX_BODY_BYTES="20000") as small:
        assert whence("import", "large.jsonl", "--url", small.url).code == 0
        page = httpx.get(f"{small.url}/api/v1/traces", params={"max_results": 100}).json()
        assert len(page["traces"]) == 30


def test_deleting_asks_first(whence, server):
    trace_id = new_trace_id()
    whence("import", "-", text=body(span(trace_id)).decode())
    refused = whence("delete", trace_id)
    assert refused.code == 2 and "--yes" in refused.err
    assert httpx.get(f"{server.url}/api/v1/traces/tr-{trace_id}").status_code == 200
    done = whence("delete", trace_id, "--yes")
    assert done.code == 0 and "deleted 1" in done.out
    assert httpx.get(f"{server.url}/api/v1/traces/tr-{trace_id}").status_code == 404


def test_a_store_directory_is_read_without_a_server_of_ones_own(whence, tmp_path):
    """The path's server is started, and ended here by its pid."""
    import os
    import signal

    store = tmp_path / "alone"
    (store / "spool").mkdir(parents=True)
    trace_id = new_trace_id()
    (store / "spool" / "one.jsonl").write_bytes(body(span(trace_id)) + b"\n")
    done = whence("search", "-f", "csv", "--columns", "trace_id", "--url", str(store))
    assert done.out.split() == ["trace_id", f"tr-{trace_id}"]
    os.kill(json.loads((store / "server.json").read_text())["pid"], signal.SIGTERM)


def test_a_deleted_trace_is_named_and_stays_deleted(whence, server):
    traces = [record_in(server, "502") for _ in range(3)]
    path = f"{server.url}/api/v1/traces/{traces[1]}"
    judged = {"assessment_name": "j", "feedback": {"value": 1}}
    httpx.post(f"{path}/assessments", json=judged).raise_for_status()
    whence("export", "traces.jsonl", "--experiment", "502")
    deleted = {"trace_ids": traces[:2]}
    httpx.post(f"{server.url}/api/v1/traces/delete", json=deleted).raise_for_status()
    done = whence("import", "traces.jsonl")
    assert done.code == 3 and "not moved: 2\n" in done.err, done.err
    assert "2 × it was deleted here, and stays so" in done.err
    assert traces[0] in done.err and traces[1] in done.err and traces[2] not in done.err
    assert httpx.get(path).status_code == 404
