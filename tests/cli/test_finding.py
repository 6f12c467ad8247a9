"""`whence search`, `show`, `tail`, `experiments`, `context`: asked as a shell user asks."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time

import httpx
import pyarrow.parquet as pq
import pytest

from cli.conftest import JSON
from otlp_requests import body, new_trace_id, span
from serving import clean_environment

IN_500 = ("--experiment", "500")


def test_a_search_prints_a_table_newest_first(whence, traces):
    done = whence("search", "metadata.region = 'eu'", *IN_500)
    assert done.code == 0 and done.err == ""
    head, _, *rows = done.out.splitlines()
    assert head.split()[:3] == ["trace_id", "name", "state"]
    assert [row.split()[0] for row in rows] == traces[::-1]
    assert "\x1b" not in done.out
    assert not any(line != line.rstrip() for line in done.out.splitlines())


def test_columns_can_be_chosen_also_of_metadata_and_tags(whence, traces):
    columns = "app_version,metadata.region,tags.team,metadata.none"
    done = whence("search", "", *IN_500, "--columns", columns, "--format", "csv")
    assert list(csv.reader(io.StringIO(done.out))) == [
        columns.split(","),
        ["2.1.0", "eu", "search", ""],
        ["2.0.0", "eu", "search", ""],
        ["1.0.0", "eu", "search", ""],
    ]


def test_order_and_number_can_be_chosen(whence, traces):
    done = whence(
        "search",
        *IN_500,
        "--order-by",
        "timestamp ASC",
        "-n",
        "2",
        "-f",
        "csv",
        "--columns",
        "trace_id",
    )
    assert done.out.split() == ["trace_id", *traces[:2]]


def test_json_is_the_traces_of_the_api(whence, traces):
    found = json.loads(whence("search", "app_version >= '2'", *IN_500, "-f", "json").out)
    assert [one["trace_id"] for one in found] == [traces[2], traces[1]]
    assert found[0]["trace_metadata"]["region"] == "eu"
    chosen = json.loads(whence("search", *IN_500, "-f", "json", "--columns", "time,state").out)
    assert chosen[0] == {"time": "2023-11-14T22:13:22.000Z", "state": "OK"}


def test_nothing_found_is_fine(whence):
    assert json.loads(whence("search", "metadata.a = 'b'", "-f", "json").out) == []
    assert whence("search", "metadata.a = 'b'", "-f", "csv", "--columns", "name").out == "name\n"
    assert whence("search", "metadata.a = 'b'").code == 0


def test_parquet_keeps_types_and_goes_to_a_file(whence, traces, tmp_path):
    done = whence("search", *IN_500, "-f", "parquet", "-o", "found.parquet")
    assert done.code == 0 and done.out == ""
    table = pq.read_table(tmp_path / "found.parquet")
    assert table.column("trace_id").to_pylist() == traces[::-1]
    assert table.column("request_time_ms").to_pylist()[-1] == 1_700_000_000_000
    assert dict(table.column("trace_metadata").to_pylist()[0])["region"] == "eu"


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_every_form_can_go_to_a_file(whence, traces, tmp_path, form):
    shown = whence("search", *IN_500, "-f", form).out
    assert whence("search", *IN_500, "-f", form, "-o", "found").out == ""
    assert (tmp_path / "found").read_bytes().decode().split() == shown.split()


def test_a_wrong_filter_is_shown_with_its_place(whence):
    done = whence("search", "state = 'OK' AND latency > 1")
    assert done.code == 2 and done.out == ""
    message, text, mark = done.err.splitlines()
    assert message.startswith("whence: ") and "latency" in message
    assert text.index("latency") == mark.index("^")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["search", "--columns", "sesion"], "session"),
        (["search", "--columns", ","], "--columns"),
        (["search", "--format", "yaml"], "yaml"),
        (["search", "--order-by", "nonsense"], "nonsense"),
        (["search", "-o", "no/such/folder/file", "-f", "csv"], "no/such/folder/file"),
        (["show"], "TRACE_ID"),
        (["tag", "tr-1"], "KEY=VALUE"),
        (["tag", "tr-1", "novalue"], "novalue"),
        (["export"], "FILTER"),
        (["export", "a", "b", "c"], "FILTER"),
        (["import", "no-such-file"], "no-such-file"),
        (["search", "--url", "ftp://host"], "ftp"),
        (["nonsense"], "nonsense"),
    ],
)
def test_wrong_input_is_code_2_and_says_what(whence, arguments, told):
    done = whence(*arguments)
    assert done.code == 2 and done.out == ""
    assert told in done.err and "Traceback" not in done.err


def test_a_server_that_is_not_there_is_one_line(whence):
    done = whence("search", "--url", "http://127.0.0.1:9")
    assert done.code == 1
    (line,) = done.err.splitlines()
    assert "http://127.0.0.1:9" in line


def test_a_trace_is_shown_as_a_tree_with_durations_then_metadata(whence, traces):
    done = whence("show", traces[2])
    assert done.code == 0 and "\x1b" not in done.out
    lines = done.out.splitlines()
    assert traces[2] in lines[0] and "answer" in lines[0]
    root = next(line for line in lines if line.startswith("answer"))
    child = next(line for line in lines if line.startswith("└─ retrieve"))
    assert "5.0 ms" in root
    assert "RETRIEVER" in child and "5.0 ms" in child and "index is cold" in child
    metadata = lines[lines.index("metadata") : lines.index("tags")]
    assert any(line.split() == ["region", "eu", "(update_current_trace())"] for line in metadata)
    assert any(line.split() == ["team", "search"] for line in lines[lines.index("tags") :])


def test_of_several_services_each_span_names_its_own(whence, server):
    trace_id = new_trace_id()
    root = span(trace_id, name="gateway")
    child = span(trace_id, "00f067aa0ba902b8", name="shop", parentSpanId=root["spanId"])
    for one, version in ((root, "1.0"), (child, "2.1.0")):
        content = body(one, **{"service.name": one["name"], "service.version": version})
        httpx.post(f"{server.url}/v1/traces", content=content, headers=JSON).raise_for_status()
    lines = whence("show", f"tr-{trace_id}").out.splitlines()
    assert any(line.startswith("gateway") and "gateway 1.0" in line for line in lines)
    assert any(line.startswith("└─ shop") and "shop 2.1.0" in line for line in lines)


def test_a_dirty_commit_is_marked_and_a_refused_key_said_to_be_absent(whence, server):
    trace_id = new_trace_id()
    said = {"vcs.ref.head.revision": "abcdef0123" * 4, "whence.metadata.whence.git.dirty": "true"}
    for attributes in ({}, {"whence.metadata.extra": "late"}):
        content = body(span(trace_id, attributes=attributes), **said)
        httpx.post(f"{server.url}/v1/traces", content=content, headers=JSON).raise_for_status()
    shown = whence("show", f"tr-{trace_id}").out
    assert "short_commit abcdef0*" in shown
    assert "stays absent, refused 'late' from root" in shown
    assert "(resource vcs.ref.head.revision)" in shown


def test_a_trace_can_be_shown_as_json(whence, traces):
    trace = json.loads(whence("show", traces[0][3:], "--json").out)
    assert trace["info"]["trace_id"] == traces[0] and len(trace["spans"]) == 2


def test_a_missing_trace_is_told(whence):
    done = whence("show", f"tr-{new_trace_id()}")
    assert done.code == 1 and "not found" in done.err


def test_experiments_are_listed_and_created(whence):
    done = whence("experiments", "--create", "from the shell", "--json")
    assert "from the shell" in {one["name"] for one in json.loads(done.out)}
    assert "from the shell" in whence("experiments").out


def test_the_context_names_every_origin(whence):
    found = json.loads(whence("context", "--json", APP_VERSION="3.2.1").out)
    version = next(one for one in found["context"] if one["key"] == "app_version")
    assert version["value"] == "3.2.1" and version["source"] == "env APP_VERSION"
    assert found["fast_ms"] > 0 and found["late_ms"] >= 0
    done = whence("context", APP_VERSION="3.2.1")
    assert "3.2.1" in done.out and "unknown" in done.out and "to mend it: " in done.out
    assert done.err.startswith("files and variables took ")


def start(server, *arguments: str, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "whence", *arguments],
        env=clean_environment(WHENCE_URL=server.url),
        stderr=subprocess.PIPE,
        **options,
    )


def test_the_tail_prints_traces_as_they_change_until_ctrl_c(server, whence, traces):
    with start(server, "tail", "--json", *IN_500, stdout=subprocess.PIPE, text=True) as process:
        line = ""
        tagged = 0
        os.set_blocking(process.stdout.fileno(), False)
        while not line:  # it listens some moment after it starts
            assert tagged < 300 and process.poll() is None
            whence("tag", traces[0], f"seen={tagged}")
            tagged += 1
            line = process.stdout.readline()
        assert json.loads(line)["trace_id"] == traces[0]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read() == ""


def test_a_reader_that_has_seen_enough_is_no_error(server, traces):
    with start(server, "search", "-f", "json", "-n", "0", stdout=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.wait(20) == 0
        assert process.stderr.read() == b""


def test_colours_only_on_a_terminal(server, traces):
    ours, theirs = pty.openpty()
    with start(server, "show", traces[2], stdout=theirs) as process:
        os.close(theirs)
        shown = b""
        while b"team" not in shown:
            shown += os.read(ours, 65536)
        assert process.wait(20) == 0
    os.close(ours)
    assert b"\x1b[" in shown


def test_help_is_quick(whence):
    fastest = 10.0
    for _ in range(5):
        started = time.perf_counter()
        assert "search" in whence("--help").out
        fastest = min(fastest, time.perf_counter() - started)
    assert fastest < 0.6  # 0.1 s alone on the machine; the tests run beside each other


def test_help_loads_neither_server_nor_numbers():
    program = (
        "import sys\n"
        "from whence.cli import load_commands\n"
        "load_commands()\n"
        "heavy = {'fastapi', 'pydantic', 'numpy', 'pandas', 'pyarrow', 'rich', 'clickhouse_connect'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_the_version_is_told(whence):
    assert whence("--version").out.startswith("whence ")


@pytest.mark.parametrize("name", ["search", "show", "export", "server"])
def test_every_command_has_help(whence, name):
    done = whence(name, "--help")
    assert done.code == 0 and "Usage" in done.out
