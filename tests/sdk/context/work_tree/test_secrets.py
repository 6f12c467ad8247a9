"""Secrets in a diff are masked, wherever they stand; the rest can be read."""

from __future__ import annotations

import base64
import random
import string
import subprocess
import sys
import time

import pytest

from whence.sdk.context.work_tree.secrets import MASK, find_masker

random_letters = random.Random(7)


def make_token(length: int, letters: str = string.ascii_letters + string.digits) -> str:
    return "".join(random_letters.choice(letters) for _ in range(length))


def masked(*lines: str, name: str = "app.py") -> str:
    mask = find_masker()
    assert mask is not None
    head = [f"diff --git a/{name} b/{name}", f"--- a/{name}", f"+++ b/{name}", "@@ -1,2 +1,2 @@"]
    return mask("\n".join([*head, *lines]) + "\n")


TOKEN = make_token(40)
AWS_ID = "AKIA" + make_token(16, string.ascii_uppercase + string.digits)
GITHUB = "ghp_" + make_token(36)
JWT = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=")
    for part in (
        b'{"alg":"HS256","typ":"JWT"}',
        b'{"sub":"1234567890"}',
        b"a-signature-of-32-bytes-in-all!!",
    )
)
SLACK = "xoxb-123456789012-123456789012-" + make_token(24)
STRIPE = "sk_live_" + make_token(24)
OPENAI = "sk-proj-" + make_token(48)

IN_PROGRAMS = [
    ('+PASSWORD = "hunter2"', "hunter2"),
    ("+password: str = 'correct horse'", "correct horse"),
    ('+connect(user="ann", password="s3cr3t")', "s3cr3t"),
    ('+config["db_password"] = "s3cr3t"', "s3cr3t"),
    ('+{"api_key": "s3cr3t", "secret": "other-one"}', "other-one"),
    ('+if "s3cr3t" == password:', "s3cr3t"),
    ('+const pw="correct horse battery"', "correct horse battery"),
    ("+db_pass = 'correct horse'", "correct horse"),
    (f'+key = "{AWS_ID}"', AWS_ID),
    (f"+# see {AWS_ID} for it", AWS_ID),
    (f'+x = "{GITHUB}"', GITHUB),
    (f"+call({JWT})", JWT.rpartition(".")[2]),
    (f'+slack = "{SLACK}"', SLACK),
    (f'+stripe = "{STRIPE}"', STRIPE),
    (f'+client = OpenAI("{OPENAI}")', OPENAI),
    (f'+salt = "{TOKEN}"', TOKEN),
    ('+url = "postgres://ann:s3cr3t@db.example.com/shop"', "s3cr3t"),
    ('+headers = {"Authorization": "Bearer abcdefgh12345678"}', "abcdefgh12345678"),
    ("-password = 'the old one'", "the old one"),
    (" password = 'around the change'", "around the change"),
]
IN_SETTINGS = [
    ("+DB_PASSWORD=hunter2", "hunter2"),
    ("+DB_PASS=hunter2", "hunter2"),
    ("+machine example.com login ann password netrcpass99", "netrcpass99"),
    ("+password: $ymbols! and words", "ymbols"),
    ("+export SECRET_TOKEN=abc", "abc"),
    ("+  api-key: plain-words", "plain-words"),
    (f"+OPENAI={OPENAI}", OPENAI),
    (f"+OTHER={TOKEN}", TOKEN[:20]),
    (f"+HUGGING=hf_{make_token(34)}", "hf_"),
    ('+"token": "abc", "user": "ann"', "abc"),
    ("+redis_url: redis://:s3cr3t@cache/0", "s3cr3t"),
    ('+PASSWORD=first "second"', "first"),
]


@pytest.mark.parametrize(("line", "secret"), IN_PROGRAMS)
def test_a_secret_in_a_program_is_masked(line: str, secret: str):
    text = masked(line)
    assert secret not in text
    assert MASK in text


@pytest.mark.parametrize("name", [".env", "settings.yaml", "config.json", "Dockerfile", "run.sh"])
@pytest.mark.parametrize(("line", "secret"), IN_SETTINGS)
def test_a_secret_in_a_settings_file_is_masked(line: str, secret: str, name: str):
    text = masked(line, name=name)
    assert secret not in text.partition("@@ -1,2")[2]
    assert MASK in text


def test_a_private_key_is_masked_whole():
    body = [f"+{make_token(64)}" for _ in range(4)] + ["+shortend=="]
    text = masked(
        "+-----BEGIN RSA PRIVATE KEY-----", *body, "+-----END RSA PRIVATE KEY-----", "+after = 1"
    )
    assert not any(line[1:] in text for line in body)
    assert "+after = 1" in text


def test_the_middle_of_a_private_key_is_masked_too():
    body = [f" {make_token(64)}" for _ in range(3)]
    text = masked(*body)
    assert not any(line[1:] in text for line in body)


def test_an_unfinished_private_key_hides_no_other_file():
    text = masked(
        "+-----BEGIN PRIVATE KEY-----", "+abc", "diff --git a/b.py b/b.py", "@@ -1 +1 @@", "+x = 1"
    )
    assert "+abc" not in text
    assert "+x = 1" in text


def test_the_heading_of_a_hunk_is_masked():
    text = find_masker()('@@ -1,2 +1,2 @@ password = "hunter2"\n')
    assert "hunter2" not in text


def test_a_line_too_long_to_search_is_masked_whole():
    text = masked("+" + "password = 'x' " * 1000)
    assert "[masked: a line of 15,000 characters]" in text
    assert "password" not in text


def test_a_line_that_another_character_ends_hides_nothing():
    assert "hunter2" not in masked("+x = 1\x0cindex password = 'hunter2'")


@pytest.mark.parametrize(
    "line",
    [
        "+def find_traces(filter_string: str | None = None) -> list[Trace]:",
        "+    max_tokens = 4096",
        "+    bypass = 'the cache'",
        "+    spinner = 'dots'",
        "+    # a password of the user",
        "+    password = read_password(prompt)",
        '+    model = "claude-sonnet-4"',
        "+    return {one.name: one.value for one in entries}",
        "-import os",
        " # a comment about nothing in particular",
        "+    url = 'https://example.com/team/app.git'",
        "+    assert test_that_a_rather_long_name_of_a_test_stays_as_it_is()",
    ],
)
def test_what_is_no_secret_stays(line: str):
    assert line in masked(line)


def test_the_shape_of_the_diff_stays():
    text = masked('-a = "x"', '+PASSWORD = "hunter2"', " c")
    assert text.splitlines() == [
        "diff --git a/app.py b/app.py",
        "--- a/app.py",
        "+++ b/app.py",
        "@@ -1,2 +1,2 @@",
        '-a = "x"',
        f'+PASSWORD = "{MASK}"',
        " c",
    ]


def test_a_megabyte_is_masked_in_seconds():
    lines = [f"+    value_{n} = compute(item, {n}, other=password_{n})" for n in range(20_000)]
    started_s = time.perf_counter()
    masked(*lines)
    assert time.perf_counter() - started_s < 20.0


def test_the_programs_own_use_of_the_library_is_not_disturbed():
    code = (
        "from detect_secrets.settings import get_settings\n"
        "before = get_settings(), get_settings().json()\n"
        "from whence.sdk.context.work_tree.secrets import find_masker\n"
        "find_masker()('+password = \"x12345\"\\n')\n"
        "assert get_settings() is before[0] and get_settings().json() == before[1]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
