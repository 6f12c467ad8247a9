"""Exports of other tools, and OTLP files: of our own making, hostile ones too."""

from __future__ import annotations

import csv
import gzip
import json

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from running import read_all

from otlp_requests import body, new_trace_id, span
from serving import serving
from whence.entities import experiment_id_of
from whence.errors import InvalidInputError
from whence.moves.langfuse import Reader
from whence.moves.otlp_files import read_units
from whence.moves.rows import read_rows
from whence.otlp import json as otlp_json
from whence.otlp import protobuf

TRACE = "0af7651916cd43dd8448eb211c80319c"
LANGFUSE = {
    "id": TRACE,
    "name": "chat",
    "timestamp": "2024-05-29T13:46:19.963Z",
    "userId": "ann",
    "sessionId": "s1",
    "release": "2.1.0",
    "environment": "prod",
    "metadata": {"plan": "pro", "seats": 3},
    "tags": ["beta"],
    "input": {"question": "where?"},
    "output": "here",
    "observations": [
        {
            "id": "top",
            "traceId": TRACE,
            "type": "AGENT",
            "name": "agent",
            "startTime": "2024-05-29T13:46:19.963Z",
            "endTime": "2024-05-29T13:46:21.963Z",
            "level": "DEFAULT",
            "input": {"question": "where?"},
        },
        {
            "id": "llm",
            "traceId": TRACE,
            "parentObservationId": "top",
            "type": "GENERATION",
            "name": "llm",
            "startTime": "2024-05-29T13:46:20Z",
            "endTime": "2024-05-29T13:46:21Z",
            "level": "ERROR",
            "statusMessage": "too long",
            "model": "gpt-4o",
            "modelParameters": {"temperature": 0.5},
            "input": [{"role": "user", "content": "where?"}],
            "output": {"role": "assistant", "content": "here"},
            "usageDetails": {"input": 10, "output": 5, "total": 15},
            "costDetails": {"input": 0.001, "output": 0.002, "total": 0.003},
        },
    ],
    "scores": [
        {
            "id": "score-1",
            "traceId": TRACE,
            "observationId": "llm",
            "name": "quality",
            "value": 0.75,
            "dataType": "NUMERIC",
            "source": "EVAL",
            "comment": "fine",
            "timestamp": "2024-05-30T00:00:00Z",
        },
        {"id": "s2", "name": "ok", "value": 1, "dataType": "BOOLEAN", "source": "ANNOTATION"},
        {"id": "s3", "name": "tone", "stringValue": "kind", "dataType": "CATEGORICAL"},
    ],
}


def of_trace(trace_id: str, rows):
    """Return rows as those of another trace: all tests share a server."""
    return json.loads(json.dumps(rows).replace(TRACE, trace_id))


def read_experiment(url: str, name: str) -> dict[str, dict]:
    return read_all(url, experiment_id_of(name))


def write(folder, name: str, *lines: object) -> str:
    text = "".join(one if isinstance(one, str) else json.dumps(one) + "\n" for one in lines)
    (folder / name).write_text(text)
    return name


def snake(row: dict) -> dict:
    """Return a row as the exports to buckets have it: payloads and metadata as JSON text."""
    names = {key: "".join(f"_{c.lower()}" if c.isupper() else c for c in key) for key in row}
    return {
        names[key]: json.dumps(value) if key in ("input", "output") else value
        for key, value in row.items()
    }


def check_langfuse(trace: dict) -> None:
    info, spans = trace["info"], {one["name"]: one for one in trace["data"]["spans"]}
    metadata = info["trace_metadata"]
    assert info["request_time"] == "2024-05-29T13:46:19.963Z"
    assert info["state"] == "OK" and info["tags"]["mlflow.traceName"] == "chat"
    assert info["tags"]["beta"] == "true"
    assert metadata["mlflow.trace.session"] == "s1" and metadata["mlflow.trace.user"] == "ann"
    assert metadata["app_version"] == "2.1.0" and metadata["environment"] == "prod"
    assert metadata["plan"] == "pro" and metadata["seats"] == "3"
    assert json.loads(metadata["mlflow.trace.tokenUsage"])["total_tokens"] == 15
    attributes = {k: json.loads(v) for k, v in spans["llm"]["attributes"].items()}
    assert attributes["mlflow.spanType"] == "CHAT_MODEL"
    assert attributes["mlflow.spanInputs"] == [{"role": "user", "content": "where?"}]
    assert attributes["mlflow.llm.model"] == "gpt-4o"
    assert attributes["mlflow.llm.cost"]["total_cost"] == 0.003
    assert spans["llm"]["parent_span_id"] == spans["agent"]["span_id"]
    assert spans["llm"]["status"] == {"code": "STATUS_CODE_ERROR", "message": "too long"}
    judged = {one["assessment_name"]: one for one in info["assessments"]}
    quality = judged["quality"]
    assert quality["assessment_id"] == "score-1" and quality["rationale"] == "fine"
    assert quality["feedback"]["value"] == 0.75
    assert quality["source"] == {"source_type": "LLM_JUDGE", "source_id": "langfuse"}
    assert quality["create_time"] == "2024-05-30T00:00:00.000Z"
    assert judged["ok"]["feedback"]["value"] is True
    assert judged["tone"]["feedback"]["value"] == "kind"


def test_a_langfuse_export_with_all_inside_arrives_and_twice_is_once(whence, server, tmp_path):
    trace_id = new_trace_id()
    name = write(tmp_path, "export.json", json.dumps([of_trace(trace_id, LANGFUSE)], indent=2))
    for _ in range(2):
        done = whence("import", "langfuse", name, "-e", "all inside")
        assert done.code == 0 and "imported 1 traces, 2 spans, 3 assessments" in done.err
    (trace,) = read_experiment(server.url, "all inside").values()
    assert trace["info"]["trace_id"] == f"tr-{trace_id}"
    check_langfuse(trace)


def test_langfuse_files_of_a_bucket_arrive_in_any_order(whence, server, tmp_path):
    trace_id = new_trace_id()
    whole = of_trace(trace_id, LANGFUSE)
    trace = {k: v for k, v in whole.items() if k not in ("observations", "scores")}
    scores = [{"traceId": trace_id, **one} for one in whole["scores"]]
    alone = {"id": "request 7", "name": "alone", "timestamp": "2024-05-29 13:46:19.963000"}
    names = (
        write(tmp_path, "scores.jsonl", *map(snake, scores)),
        write(tmp_path, "observations.jsonl", *map(snake, whole["observations"])),
        write(tmp_path, "traces.jsonl", snake(trace), alone),
    )
    done = whence("import", "langfuse", *names, "-e", "bucket")
    assert done.code == 0 and "imported 2 traces, 2 spans, 3 assessments" in done.err, done.err
    traces = read_experiment(server.url, "bucket")
    check_langfuse(traces[f"tr-{trace_id}"])
    assert traces["request 7"]["info"]["state"] == "OK"


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["beta", None, "", 7], {"beta", "7"}),
        ('["beta", "x"]', {"beta", "x"}),
        (r"['beta','it\'s']", {"beta", "it's"}),
        ("beta", {"beta"}),
        ("[sic]", {"[sic]"}),
        ("", set()),
        (None, set()),
    ],
)
def test_tags_of_langfuse_are_labels_however_they_are_written(tags, expected):
    trace, _ = Reader("x").read([("a place", {"id": "t", "tags": tags})])
    assert trace.tags == dict.fromkeys(expected, "true")


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ({"dataType": "TEXT", "value": 0, "stringValue": "kind"}, "kind"),
        ({"dataType": "CORRECTION", "value": None, "longStringValue": "42"}, "42"),
        ({"dataType": "CATEGORICAL", "value": 1, "stringValue": "7"}, "7"),
        ({"dataType": "BOOLEAN", "value": None, "stringValue": "False"}, False),
        ({"dataType": "BOOLEAN", "value": "1"}, True),
        ({"dataType": None, "value": "0.5"}, 0.5),
        ({"dataType": None, "value": None, "stringValue": "kind"}, "kind"),
    ],
)
def test_a_score_of_langfuse_says_what_its_kind_makes_of_its_fields(score, expected):
    (trace,) = Reader("x").read([("a place", {"id": "s", "traceId": "t", "name": "n", **score})])
    (assessment,) = trace.assessments
    assert assessment["feedback"]["value"] == expected
    assert type(assessment["feedback"]["value"]) is type(expected)


def test_a_langfuse_csv_with_what_databases_write_for_nothing_arrives(whence, server, tmp_path):
    trace_id = new_trace_id()
    whole = of_trace(trace_id, LANGFUSE)
    columns = "id,timestamp,name,user_id,session_id,release,tags,metadata,input"
    row = [
        trace_id, "2024-05-29 13:46:19.963000", "chat", r"\N", "s1", "2.1.0", "['beta','x']",
        "{'plan':'pro'}", "[not a list]",
    ]  # fmt: skip
    llm = whole["observations"][1]
    usage = {**llm, "usageDetails": "{'input':10,'output':5}", "modelParameters": r"\N"}
    score = {"id": "s9", "trace_id": trace_id, "name": "ok", "data_type": r"\N", "value": r"\N",
             "string_value": "fine"}  # fmt: skip
    with (tmp_path / "traces.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([columns.split(","), row])
    names = [write_csv(tmp_path, [one], name) for name, one in (("o", snake(usage)), ("s", score))]
    done = whence("import", "langfuse", "traces.csv", *names, "-e", "nulls")
    assert done.code == 0, done.err
    (trace,) = read_experiment(server.url, "nulls").values()
    info, (span,) = trace["info"], trace["data"]["spans"]
    assert info["tags"].keys() >= {"beta", "x"} and info["trace_metadata"]["plan"] == "pro"
    assert "mlflow.trace.user" not in info["trace_metadata"]
    assert info["request_preview"] == "[not a list]"
    assert json.loads(span["attributes"]["mlflow.chat.tokenUsage"])["total_tokens"] == 15
    assert "langfuse.observation.model.parameters" not in span["attributes"]
    assert info["assessments"][0]["feedback"]["value"] == "fine"


def test_what_is_wrong_in_a_langfuse_export_is_named_and_the_rest_arrives(whence, server, tmp_path):
    good = {**LANGFUSE, "id": "good", "scores": [], "observations": [{"id": "no time"}]}
    name = write(
        tmp_path, "export.jsonl", good, '{"id": "broken", \n', {"name": "no id"}, [1], "\n",
        {**LANGFUSE, "id": "a/b"}, {**LANGFUSE, "id": "other"},
    )  # fmt: skip
    done = whence("import", "langfuse", name, "--report", "lost.jsonl", "-e", "wrong")
    moved = read_experiment(server.url, "wrong")
    assert done.code == 3 and "not moved: 5\n" in done.err, done.err
    lost = [json.loads(line) for line in (tmp_path / "lost.jsonl").read_text().splitlines()]
    assert sorted(one["where"] for one in lost) == [
        *(f"export.jsonl line {number}" for number in (2, 3, 4, 6)),
        "good",
    ]
    assert set(moved) == {"good", "other"}
    assert len(moved["other"]["data"]["spans"]) == 2


LONG = {"metadata": {"plan": "x" * 20_000, "k" * 300: "v", "full": "x" * 8000}}


def test_metadata_and_labels_that_are_cut_are_named(whence, server, tmp_path):
    long = {**LANGFUSE, **LONG, "id": "long", "tags": ["t" * 300]}
    name = write(tmp_path, "long.jsonl", long, {**LANGFUSE, "id": "short"})
    done = whence("import", "langfuse", name, "-e", "cut")
    assert done.code == 3 and "imported 2 traces" in done.err, done.err
    assert "not moved: 3\n" in done.err and done.err.count("(long)") == 3, done.err
    assert "1 × metadata 'plan' was cut to 8000 characters (long)" in done.err
    assert "the key of metadata 'kkk" in done.err and "the key of tag 'ttt" in done.err
    info = read_experiment(server.url, "cut")["long"]["info"]
    assert info["trace_metadata"]["plan"] == "x" * 8000 and info["tags"]["t" * 250] == "true"


PHOENIX = [
    {
        "name": "agent",
        "span_kind": "AGENT",
        "parent_id": None,
        "start_time": "2024-05-29T13:46:19.963000+00:00",
        "end_time": "2024-05-29T13:46:21.963000+00:00",
        "status_code": "OK",
        "status_message": "",
        "events": [],
        "context.span_id": "00f067aa0ba902b7",
        "context.trace_id": TRACE,
        "attributes.openinference.span.kind": "AGENT",
        "attributes.input.value": "where?",
        "attributes.output.value": "here",
        "attributes.session.id": "s1",
        "attributes.metadata": {"plan": "pro"},
    },
    {
        "name": "llm",
        "span_kind": "LLM",
        "parent_id": "00f067aa0ba902b7",
        "start_time": "2024-05-29T13:46:20+00:00",
        "end_time": "2024-05-29T13:46:21+00:00",
        "status_code": "ERROR",
        "status_message": "too long",
        "events": [
            {
                "name": "exception",
                "timestamp": "2024-05-29T13:46:21+00:00",
                "attributes": {"exception.type": "ValueError"},
            }
        ],
        "context.span_id": "00f067aa0ba902b8",
        "context.trace_id": TRACE,
        "attributes.llm.model_name": "gpt-4o",
        "attributes.llm.token_count.prompt": 10,
        "attributes.llm.token_count.completion": 5,
        "attributes.llm.input_messages": [
            {"message.role": "user", "message.content": "where?"},
        ],
    },
]
ANNOTATION = {
    "id": "U3Bhbg==",
    "span_id": "00f067aa0ba902b8",
    "name": "quality",
    "annotator_kind": "LLM",
    "result": {"label": "good", "score": 0.75, "explanation": "fine"},
    "metadata": {},
    "created_at": "2024-05-30T00:00:00+00:00",
    "updated_at": "2024-05-30T00:00:01+00:00",
}


def nested(row: dict) -> dict:
    """Return a row as Phoenix's API has it."""
    inner = {key: value for key, value in row.items() if "." not in key}
    for prefix in ("context", "attributes"):
        inner[prefix] = {
            key[len(prefix) + 1 :]: value for key, value in row.items() if key.startswith(prefix)
        }
    return {"id": "U3Bhbjox", **inner}


def write_parquet(folder, rows: list[dict]) -> str:
    texts = [
        {**one, "attributes.metadata": json.dumps(one.get("attributes.metadata"))} for one in rows
    ]
    names = {key for one in texts for key in one}
    columns = {name: [one.get(name) for one in texts] for name in names}
    pq.write_table(pa.table(columns), folder / "spans.parquet")
    return "spans.parquet"


def write_csv(folder, rows: list[dict], name: str = "spans") -> str:
    names = sorted({key for one in rows for key in one})
    with (folder / f"{name}.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        for one in rows:
            writer.writerow(
                {k: json.dumps(v) if isinstance(v, (dict, list)) else v for k, v in one.items()}
            )
    return f"{name}.csv"


@pytest.mark.parametrize("form", ["jsonl", "api", "parquet", "csv"])
def test_phoenix_spans_and_annotations_arrive(whence, server, tmp_path, form):
    trace_id = new_trace_id()
    rows = of_trace(trace_id, PHOENIX)
    names = {
        "jsonl": lambda: write(tmp_path, "spans.jsonl", *rows),
        "api": lambda: write(tmp_path, "spans.json", {"data": [nested(one) for one in rows]}),
        "parquet": lambda: write_parquet(tmp_path, rows),
        "csv": lambda: write_csv(tmp_path, rows),
    }
    annotations = write(tmp_path, "annotations.jsonl", ANNOTATION)
    done = whence("import", "phoenix", annotations, names[form](), "-e", form)
    assert done.code == 0 and "imported 1 traces, 2 spans, 1 assessments" in done.err, done.err
    (trace,) = read_experiment(server.url, form).values()
    assert trace["info"]["trace_id"] == f"tr-{trace_id}"
    info, spans = trace["info"], {one["name"]: one for one in trace["data"]["spans"]}
    assert info["trace_metadata"]["mlflow.trace.session"] == "s1"
    assert "where?" in info["request_preview"] and info["execution_duration_ms"] == 2000
    attributes = {k: json.loads(v) for k, v in spans["llm"]["attributes"].items()}
    assert attributes["mlflow.spanType"] == "LLM" and attributes["mlflow.llm.model"] == "gpt-4o"
    assert attributes["mlflow.chat.tokenUsage"]["input_tokens"] == 10
    messages = attributes["mlflow.spanInputs"]
    assert "where?" in json.dumps(messages) and "user" in json.dumps(messages)
    assert spans["llm"]["status"]["message"] == "too long"
    assert spans["llm"]["events"][0]["name"] == "exception"
    (judged,) = info["assessments"]
    assert judged["source"]["source_type"] == "LLM_JUDGE" and judged["feedback"]["value"] == 0.75
    assert judged["span_id"] == "00f067aa0ba902b8" and judged["metadata"] == {"label": "good"}


def test_metadata_of_phoenix_that_is_cut_is_named(whence, tmp_path):
    trace_id = new_trace_id()
    row = {**of_trace(trace_id, PHOENIX[0]), "attributes.metadata": LONG["metadata"]}
    done = whence("import", "phoenix", write(tmp_path, "spans.jsonl", row))
    assert done.code == 3 and "not moved: 2\n" in done.err, done.err
    assert f"metadata 'plan' was cut to 8000 characters (tr-{trace_id})" in done.err


def test_an_id_that_is_too_long_is_named_and_the_rest_arrives(whence, server, tmp_path):
    long = "i" * 100_000
    rows = [{**LANGFUSE, "id": one} for one in ("before", long, "after", "i" * 250)]
    done = whence("import", "langfuse", write(tmp_path, "ids.jsonl", *rows), "-e", "ids")
    assert done.code == 3 and "imported 3 traces" in done.err and len(done.err) < 3_000, done.err
    assert "100000 characters are too long, 250 is the limit" in done.err
    assert set(read_experiment(server.url, "ids")) == {"before", "after", "i" * 250}


def test_a_phoenix_annotation_without_its_span_and_a_row_without_ids_are_named(whence, tmp_path):
    lost = {**ANNOTATION, "span_id": "ffffffffffffffff"}
    row = of_trace(new_trace_id(), PHOENIX[0])
    name = write(tmp_path, "mixed.jsonl", row, lost, {"name": "no ids"}, row)
    done = whence("import", "phoenix", name)
    assert done.code == 3 and "in none of these files" in done.err
    assert "mixed.jsonl line 3" in done.err and "imported 1 traces" in done.err


@pytest.mark.parametrize(
    ("name", "start", "words"),
    [
        ("spans.jsonl", b"PAR1\x15", "must end in .parquet"),
        ("spans.json", b"\x1f\x8b\x08", "must end in .gz"),
        ("spans.csv", b"PK\x03\x04", "unpack it first"),
        ("mlflow.db", b"SQLite format 3\0", "whence import mlflow FILE"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_what_it_is(tmp_path, name, start, words):
    (tmp_path / name).write_bytes(start + bytes(100))
    for read in (read_rows, read_units):
        with pytest.raises(InvalidInputError, match=words):
            list(read([str(tmp_path / name)]))


def framed(messages: list[bytes], how: str) -> bytes:
    if how == "whole":
        return messages[0]
    if how == "fixed":
        return b"".join(len(one).to_bytes(4, "big") + one for one in messages)
    return b"".join(varint(len(one)) + one for one in messages)


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


@pytest.mark.parametrize("how", ["whole", "fixed", "varint"])
def test_protobuf_files_are_read_whatever_their_frames(whence, server, tmp_path, how):
    ids = [new_trace_id() for _ in range(1 if how == "whole" else 3)]
    groups = [otlp_json.decode_request(body(span(one, name="x" * 300))) for one in ids]
    content = framed([protobuf.encode_request(one) for one in groups], how)
    (tmp_path / "traces.pb.gz").write_bytes(gzip.compress(content))
    done = whence("import", "otlp", "traces.pb.gz")
    assert done.code == 0 and f"requests sent: {len(ids)}" in done.err, done.err
    for one in ids:
        assert httpx.get(f"{server.url}/api/v1/traces/tr-{one}").status_code == 200


def test_one_wrong_span_or_line_costs_nothing_else(whence, server, tmp_path):
    first, second, third = (new_trace_id() for _ in range(3))
    mixed = json.loads(body(span(first), span("abc"), span(second)))
    (tmp_path / "document.json").write_text(json.dumps(mixed, indent=1))
    lines = [body(span(third)), b'{"resourceSpans": [', b"[]", body(span(third)), b"\xff\xfe"]
    (tmp_path / "lines.jsonl").write_bytes(b"\n".join(lines))
    (tmp_path / "noise.bin").write_bytes(b"\x01\x02 no such thing")
    done = whence("import", "document.json", "lines.jsonl", "noise.bin")
    assert done.code == 3 and "not moved: 5\n" in done.err, done.err
    for words in ("document.json", "lines.jsonl line 2", "line 3", "line 5", "noise.bin"):
        assert words in done.err
    for one in (first, second, third):
        assert httpx.get(f"{server.url}/api/v1/traces/tr-{one}").status_code == 200


def test_a_payload_that_is_too_large_is_named_and_the_rest_of_its_trace_arrives(whence, tmp_path):
    huge = {**LANGFUSE["observations"][1], "id": "huge", "output": "x" * 300_000}
    trace = {**LANGFUSE, "observations": [*LANGFUSE["observations"], huge], "input": None}
    others = [{**LANGFUSE, "id": f"other {number}"} for number in range(20)]
    headless = {**LANGFUSE, "id": "headless", "metadata": {"long": "x" * 300_000}}
    name = write(tmp_path, "export.jsonl", *others[:10], trace, headless, *others[10:])
    with serving(tmp_path / "store", WHENCE_MAX_BODY_BYTES="100000") as running:
        done = whence("import", "langfuse", name, url=running.url)
        assert done.code == 3 and "not moved: 2\n" in done.err, done.err
        assert "imported 21 traces, 42 spans, 63 assessments" in done.err, done.err
        assert "headless" in done.err and f"tr-{TRACE} span " in done.err
        moved = read_all(running.url)
    assert len(moved) == 21
    check_langfuse(moved[f"tr-{TRACE}"])
    assert len(moved[f"tr-{TRACE}"]["data"]["spans"]) == 2
