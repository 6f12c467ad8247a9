"""`whence compare` as a program: what it prints in each form, and what it exits with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import httpx
import pytest

from compared_traces import draw_calls, send
from serving import clean_environment
from whence.entities.comparison_text import escape, write_code

HOSTILE = "no \x1b[2J item | <b>forged</b> |\n::error::forged"

FORGERIES = ("::error::forged", "a ##[error]forged", "##vso[task.complete]x", "v\ufffe1\uffff")


@pytest.fixture(scope="module")
def arms(server):
    """1.1.0 is slower and fails with a hostile message; 1.0.1 is 1.0.0 again."""
    with httpx.Client(base_url=server.url, timeout=30) as client:
        send(client, "1.0.0", "gate", draw_calls(300, 1))
        send(client, "1.0.1", "gate", draw_calls(300, 2))
        slow = draw_calls(300, 3, rerank_ms=50.0, failing=0.2)
        send(client, "1.1.0", "gate", [x._replace(failed=x.failed and HOSTILE) for x in slow])
        send(client, "2.0.0", "gate", draw_calls(12, 4))
        for number, name in enumerate(FORGERIES):
            send(client, name, "gate", draw_calls(8, 10 + number))


def compare(whence, baseline, candidate, *more, **env):
    asked = ("--baseline", baseline, "--candidate", candidate, "--environment", "gate")
    return whence("compare", *asked, *more, **env)


def test_a_regression_is_shown_explained_and_exits_with_1(whence, arms):
    done = compare(whence, "1.0.0", "1.1.0")
    assert (done.code, done.err) == (1, "")
    assert done.out.startswith("1.1.0 against 1.0.0 in gate: regressed\n")
    assert re.search(r"^duration +1\d\d ms +1\d\d ms +\+\d\d", done.out, re.MULTILINE)
    assert re.search(r"^why: rerank \+45 ms a trace", done.out, re.MULTILINE)
    assert re.search(
        r"^look: whence diff tr-\w+ tr-\w+ \(slow, same input\)$", done.out, re.MULTILINE
    )
    assert "\x1b" not in done.out


def test_nothing_regressed_exits_with_0(whence, arms):
    wide = ("--margin", "duration=0.5", "--margin", "error_rate=0.1", "--metric", "duration")
    done = compare(whence, "1.0.0", "1.0.1", *wide, "--metric", "error_rate", "--strict")
    assert (done.code, done.err) == (0, "")
    assert ": equivalent\n" in done.out


def test_too_few_traces_exit_with_2_only_where_that_is_asked_for(whence, arms):
    assert compare(whence, "1.0.0", "2.0.0").code == 0
    assert compare(whence, "1.0.0", "2.0.0", "--strict").code == 2
    nothing = compare(whence, "1.0.0", "3.0.0", "--strict")
    assert nothing.code == 2
    assert "no finished traces of '3.0.0'" in nothing.out


def test_a_regression_need_not_fail(whence, arms):
    assert compare(whence, "1.0.0", "1.1.0", "--fail-on", "never").code == 0


@pytest.mark.parametrize(
    "wrong",
    [
        ("--nonsense",),
        ("--format", "pdf"),
        ("--margin", "duration"),
        ("--metric", "durations"),
        ("--by", "weather"),
        ("--window", "fortnight"),
        ("--filter", "latency > 3"),
        ("unasked",),
    ],
)
def test_a_wrong_question_exits_with_3(whence, arms, wrong):
    done = compare(whence, "1.0.0", "1.1.0", *wrong)
    assert (done.code, done.out) == (3, "")
    assert done.err


def test_a_server_that_is_away_does_not_read_as_a_regression(whence):
    done = whence("compare", "--url", "http://127.0.0.1:9", "--candidate", "1")
    assert (done.code, done.out) == (3, "")


def test_json_is_the_apis_answer(whence, arms):
    done = compare(whence, "1.0.0", "1.1.0", "--format", "json", "--no-explain")
    found = json.loads(done.out)
    assert (done.code, found["verdict"], found["explanation"]) == (1, "regressed", None)


def test_junit_has_a_case_for_every_guard(whence, arms):
    suite = ET.fromstring(compare(whence, "1.0.0", "1.1.0", "--format", "junit").out)
    cases = {one.get("name"): [child.tag for child in one] for one in suite}
    assert cases["duration"] == ["failure"]
    assert cases["total_tokens"] == ["system-out"]
    assert int(suite.get("failures")) >= 2
    assert int(suite.get("tests")) == len(cases)


def test_github_gets_annotations_and_a_summary(whence, arms, tmp_path):
    summary = tmp_path / "summary.md"
    done = compare(whence, "1.0.0", "1.1.0", "--format", "github", GITHUB_STEP_SUMMARY=str(summary))
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0].startswith("::error title=duration regressed::duration +")
    assert "%25" in lines[0]
    assert all(
        line.startswith(("::error title=", "::warning title=", "::notice title=")) for line in lines
    )
    text = summary.read_text()
    assert "forged" in text and not any(raw in text for raw in ("<b>", "\x1b", "\n::"))


def test_markdown_can_not_be_forged_by_what_traces_say(whence, arms):
    done = compare(whence, "1.0.0", "1.1.0", "--format", "markdown")
    assert "| **duration** | " in done.out
    assert "\x1b" not in done.out
    assert not re.search(r"^::", done.out, re.MULTILINE)


@pytest.mark.parametrize("name", FORGERIES)
@pytest.mark.parametrize("form", ["text", "markdown", "github", "junit", "json"])
def test_a_version_s_name_is_no_command_to_a_ci_service(whence, arms, name, form):
    done = compare(whence, "1.0.0", f"version:{name}", "--format", form, "--no-explain")
    assert done.err == ""
    ours = ("::error title=", "::warning title=", "::notice title=")
    for line in done.out.splitlines():
        assert not line.lstrip().startswith("::") or (form == "github" and line.startswith(ours))
        assert "##[" not in line and "##vso[" not in line
    if form == "junit":
        assert ET.fromstring(done.out).tag == "testsuite"
    if form == "json":
        assert json.loads(done.out)["candidate"]["asked"] == name


def test_stored_text_in_markdown_makes_no_link_names_nobody_and_stays_in_its_code():
    shown = escape("ask @ops at https://evil.example or www.evil.example about #12, `rm` & co")
    assert not re.search(r"@\w|://\w|www\.|(?<!&)#\d|(?<!\\)`", shown)
    for text in ("a`b", "``", "`", " padded ", "tr-1` **bold** `x", "a\nb"):
        code = write_code(text)
        fence = re.match(r"`+", code)[0]
        inside = code[len(fence) : -len(fence)]
        assert code.endswith(fence) and "\n" not in code
        assert fence not in re.findall(r"`+", inside)


def test_whoever_stops_reading_does_not_change_the_verdict(server, arms, tmp_path):
    asked = ("--baseline", "1.0.0", "--candidate", "1.1.0", "--environment", "gate", "-f", "json")
    with subprocess.Popen(
        [sys.executable, "-m", "whence", "compare", *asked],
        cwd=tmp_path,
        env=clean_environment(WHENCE_URL=server.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as program:
        program.stdout.close()
        err = program.stderr.read()
        assert (program.wait(60), err) == (1, b"")


def test_what_nobody_foresaw_does_not_read_as_a_regression(whence, arms, tmp_path):
    done = compare(whence, "1.0.0", "1.0.1", "--format", "github", GITHUB_STEP_SUMMARY="/")
    assert done.code == 3
    assert "IsADirectoryError" in done.err
