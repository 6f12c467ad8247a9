"""A hostile trace, asked for by every command: nothing that it holds reaches the terminal as is."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import unicodedata
from typing import NamedTuple

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.conftest import JSON
from otlp_requests import body, new_trace_id, span
from serving import clean_environment
from whence.cli.columns import DERIVED, FIELDS
from whence.cli.terminal_text import escape_json, escape_line, escape_lines

FORGED = "fake.key   forged  (.git)"
EVIL = f"v\x1b]0;title\x07\x1b[2J\x9b31m\x7f\u202e\u2066\u200f\u2028\r\n  {FORGED}\n\t[bold]b[/bold]:smile:"
SHOWN = (
    r"v\x1b]0;title\x07\x1b[2J\x9b31m\x7f\u202e\u2066\u200f\u2028\r\n"
    rf"  {FORGED}\n\t[bold]b[/bold]:smile:"
)
EXPERIMENT = "666"
DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
PLAIN = "import sys; from whence.cli.light import main; sys.exit(main(sys.argv[1:]))"


def is_unsafe(character: str) -> bool:
    """Decide by Unicode's own tables, not by ours."""
    return (
        unicodedata.category(character) in {"Cc", "Zl", "Zp", "Cs"}
        or unicodedata.bidirectional(character) in DIRECTIONS
        or unicodedata.name(character, "").endswith(("-TO-RIGHT MARK", "-TO-LEFT MARK"))
        or unicodedata.name(character, "") == "ARABIC LETTER MARK"
    )


def assert_harmless(text: str) -> None:
    found = {character for character in text if is_unsafe(character)} - {"\n"}
    assert not found, (found, text)
    assert not re.search(r"^ {0,4}fake\.key", text, re.MULTILINE), text


class Hostile(NamedTuple):
    """A trace whose every text is evil, and the address of its server."""

    trace_id: str
    url: str


@pytest.fixture(scope="session")
def hostile(server) -> Hostile:
    trace_id = new_trace_id()
    root = span(
        trace_id,
        name=EVIL,
        attributes={
            f"whence.metadata.k{EVIL}": EVIL,
            f"mlflow.traceTag.t{EVIL}": EVIL,
            "session.id": EVIL,
            "whence.client_request_id": EVIL,
            "whence.request_preview": EVIL,
            "whence.inputs": json.dumps(EVIL),
            "mlflow.spanType": EVIL,
            "gen_ai.request.model": EVIL,
            "whence.provenance": json.dumps({f"k{EVIL}": EVIL, "mlflow.trace.session": EVIL}),
        },
        status={"code": 2, "message": EVIL},
    )
    child = span(trace_id, "00f067aa0ba902b8", name=EVIL, parentSpanId=root["spanId"])
    named = {"mlflow.experimentId": EXPERIMENT}
    refused = {
        **root,
        "attributes": [{"key": f"whence.metadata.k{EVIL}", "value": {"stringValue": "x"}}],
    }
    for content in (
        body(root, **named, **{"service.name": EVIL, "deployment.environment.name": EVIL}),
        body(child, **named, **{"service.name": "other", "service.version": EVIL}),
        body({**refused, "spanId": "00f067aa0ba902b9"}, **named),
    ):
        httpx.post(f"{server.url}/v1/traces", content=content, headers=JSON).raise_for_status()
    judged = {
        "assessment_name": "relevance",
        "source": {"source_type": "HUMAN", "source_id": EVIL},
        "feedback": {"value": EVIL},
        "rationale": EVIL,
    }
    path = f"{server.url}/api/v1/traces/tr-{trace_id}/assessments"
    httpx.post(path, json=judged).raise_for_status()
    body_ = {"name": f"e{EVIL}"}
    httpx.post(f"{server.url}/api/v1/experiments", json=body_).raise_for_status()
    return Hostile(f"tr-{trace_id}", server.url)


@pytest.fixture
def on_terminal(server, tmp_path):
    """Run `whence` on a terminal without colours, 100 characters wide; returns what it shows."""

    def run(*arguments: str) -> str:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 100, 0, 0))
        environ = clean_environment(WHENCE_URL=server.url, TERM="dumb")
        environ.pop("COLUMNS", None)
        with subprocess.Popen(
            [sys.executable, "-m", "whence", *arguments],
            stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environ, cwd=tmp_path,
        ) as process:  # fmt: skip
            os.close(theirs)
            shown = b"".join(iter(lambda: read_terminal(ours), b""))
            assert process.wait(60) == 0, shown
        os.close(ours)
        return shown.decode().replace("\r\n", "\n")

    return run


def read_terminal(file: int) -> bytes:
    try:
        return os.read(file, 65536)
    except OSError:  # the other side is closed
        return b""


ALL = ",".join([*FIELDS, *DERIVED, f"metadata.k{EVIL}", f"tags.t{EVIL}"])
COMMANDS = {
    "show": ["show", "ID"],
    "show --json": ["show", "ID", "--json"],
    "search": ["search", "-e", EXPERIMENT],
    "search --columns": ["search", "-e", EXPERIMENT, "--columns", ALL],
    "search as JSON": ["search", "-e", EXPERIMENT, "-f", "json"],
    "export": ["export", "-e", EXPERIMENT, "-"],
    "experiments": ["experiments"],
    "experiments --json": ["experiments", "--json"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_prints_what_a_terminal_obeys(whence, on_terminal, hostile, name):
    arguments = [hostile.trace_id if one == "ID" else one for one in COMMANDS[name]]
    done = whence(*arguments)
    assert (done.code, done.err) == (0, "")
    assert FORGED in done.out
    for shown in (done.out, on_terminal(*arguments)):
        assert_harmless(shown)


def test_a_trace_is_shown_with_its_characters_escaped_and_its_markup_as_text(whence, hostile):
    out = whence("show", hostile.trace_id).out
    for line in (
        f"  k{SHOWN}  {SHOWN}  ({SHOWN})",
        f"  t{SHOWN}",
        f"feedback {SHOWN} by HUMAN {SHOWN}: {SHOWN}",
    ):
        assert line in out


@pytest.mark.parametrize("name", ["show --json", "search as JSON"])
def test_json_still_says_exactly_what_is_stored(whence, hostile, name):
    arguments = [hostile.trace_id if one == "ID" else one for one in COMMANDS[name]]
    found = json.loads(whence(*arguments).out)
    info = found["info"] if "info" in found else found[0]
    assert info["trace_metadata"][f"k{EVIL}"] == EVIL
    assert info["tags"][f"t{EVIL}"] == EVIL


def test_csv_is_exact_in_a_pipe_and_escaped_on_a_terminal(whence, on_terminal, hostile):
    arguments = ("search", "-e", EXPERIMENT, "-f", "csv", "--columns", "session")
    piped = subprocess.run(
        [sys.executable, "-m", "whence", *arguments],
        env=clean_environment(WHENCE_URL=hostile.url),
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout.decode()
    assert list(csv.reader(io.StringIO(piped, newline=""))) == [["session"], [EVIL]]
    shown = on_terminal(*arguments)
    lines = shown.replace("\r", "").split("\n")  # CSV ends lines by both
    assert lines[1] == SHOWN
    assert_harmless("\n".join(lines))


def test_what_a_terminal_has_no_room_for_goes_on_marked(whence, on_terminal, server):
    trace_id = new_trace_id()
    words = {f"whence.metadata.pad{length}": "x " * length + FORGED for length in range(30, 60)}
    wide = {"whence.metadata.wide": "界" * 5_500 + f" {FORGED}"}
    content = body(
        span(
            trace_id,
            name="x " * 30 + FORGED,
            attributes={**words, **wide},
            status={"code": 2, "message": "x " * 30 + FORGED},
        )
    )
    httpx.post(f"{server.url}/v1/traces", content=content, headers=JSON).raise_for_status()
    piped, shown = whence("show", f"tr-{trace_id}").out, on_terminal("show", f"tr-{trace_id}")
    for text in (piped, shown):
        assert_harmless(text)
    assert re.search(r"^ +↳ .*fake\.key", shown, re.MULTILINE)
    assert "↳" not in piped


def test_the_tail_escapes_too(server, whence, hostile):
    command = [sys.executable, "-m", "whence", "tail", "-e", EXPERIMENT]
    environ = clean_environment(WHENCE_URL=server.url)
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        os.set_blocking(process.stdout.fileno(), False)
        line = ""
        for number in range(100):  # it listens some moment after it starts
            assert process.poll() is None
            whence("tag", hostile.trace_id, f"seen={number}")
            line = process.stdout.readline()
            if line:
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert SHOWN in line and hostile.trace_id in line
    assert_harmless(line)


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", f"tr-{EVIL}"],
        ["diff", EVIL],
        ["tag", f"tr-{EVIL}", "a=b"],
        ["search", f"state = 'OK' AND '{EVIL}' > 1"],
        ["search", "--columns", EVIL],
        ["search", "--order-by", EVIL],
        ["search", "--url", f"http://127.0.0.1:9/{EVIL}"],
        ["import", EVIL],
        ["context", EVIL],
    ],
)
def test_an_error_repeats_nothing_that_a_terminal_obeys(whence, arguments):
    done = whence(*arguments)
    assert done.code in {1, 2} and done.out == ""
    assert_harmless(done.err)


def test_the_mark_under_a_wrong_filter_stands_where_the_escaped_text_is_wrong(whence):
    done = whence("search", "name = '\x1b\x9b' AND latency > 1")
    _, text, mark = done.err.splitlines()
    assert text.index("latency") == mark.index("^")
    assert r"'\x1b\x9b'" in text


def test_what_a_server_refused_is_told_escaped(whence, hostile):
    line = body(
        span(hostile.trace_id[3:], "00f067aa0ba902c0", attributes={f"whence.metadata.k{EVIL}": "y"})
    )
    done = whence("import", "-", text=line.decode())
    assert done.code == 3
    assert "\nnot moved: 1\n" in done.err and "[bold]b[/bold]:smile:" in done.err
    assert_harmless(done.err)


@pytest.mark.parametrize("program", [("-m", "whence"), ("-c", PLAIN)], ids=["full", "plain"])
def test_the_context_of_a_foreign_folder_is_escaped(tmp_path, program):
    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *program, *arguments],
            cwd=tmp_path, env=clean_environment(**env), capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    said = {"WHENCE_METADATA_TEAM": EVIL, "APP_VERSION": "1\x1b[2J"}
    for arguments in ([], ["--json"]):
        done = run("context", *arguments, **said)
        assert done.returncode == 0 and FORGED in done.stdout
        assert_harmless(done.stdout + done.stderr)
    done = run("stamp", "--allow-empty", "--metadata", f"k={EVIL}")
    assert done.returncode == 0 and SHOWN in done.stdout
    assert_harmless(done.stdout + done.stderr)
    done = run("stamp", "--allow-empty", "--print", "--metadata", f"k={EVIL}")
    assert json.loads(done.stdout)["metadata"]["k"] == EVIL
    assert_harmless(done.stdout)
    done = run("context", EVIL)
    assert done.returncode == 2
    assert_harmless(done.stderr)


ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.text(
    st.sampled_from("a\\\x00\t\n\r\x1b\x7f\x85\x9b\u061c\u200d\u200e\u2028\u202e\u2066\ud800界")
)


@given(ANY_TEXT)
def test_a_line_holds_nothing_unsafe_and_keeps_the_rest(text: str):
    escaped = escape_line(text)
    assert not any(map(is_unsafe, escaped))
    assert escaped == "".join(
        character.encode("unicode_escape").decode() if is_unsafe(character) else character
        for character in text
    )
    escaped.encode()


@given(ANY_TEXT)
def test_lines_keep_their_ends_and_tabs_only(text: str):
    kept = {"\n": "", "\t": ""}
    assert escape_lines(text).translate(str.maketrans(kept)) == escape_line(
        text.translate(str.maketrans(kept))
    )
    assert escape_lines(text).count("\n") == text.count("\n")


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_escaped_json_is_the_same_json(value: object):
    escaped = escape_json(json.dumps(value, ensure_ascii=False).encode())
    assert json.loads(escaped) == value
    assert not any(map(is_unsafe, escaped.decode()))
