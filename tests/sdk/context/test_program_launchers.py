"""The words of launchers that no test starts, understood as their own manuals have it.

Played: only the command line is the launcher's, put into `sys.argv` by one program that is told all
of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from program_runs import make_repository
from whence.sdk import diagnostics
from whence.sdk.context.program import find_program

LAUNCHED = [
    ("daphne -p 8000 shop.web:app", "shop.web:app"),
    ("waitress-serve --call --port=8000 shop.web:create_app", "shop.web:create_app"),
    ("fastapi dev shop/web.py --port 8000", "shop/web.py"),
    ("fastapi run -e shop.web:app", "shop.web:app"),
    ("streamlit run script.py -- --mine", "script.py"),
    ("chainlit run -w script.py", "script.py"),
    ("marimo -q edit --no-token script.py", "script.py"),
    ("marimo export html script.py -o page.html", "script.py"),
    ("litestar --app shop.web:app run", "shop.web:app"),
    ("arq shop.tasks.WorkerSettings", "shop.tasks.WorkerSettings"),
    ("dramatiq -p 2 shop.tasks", "shop.tasks"),
    ("taskiq worker --workers 2 shop.tasks:broker", "shop.tasks:broker"),
    ("functions-framework --target ask --debug", "ask"),
    ("granian --working-dir /srv shop.web:app", "shop.web:app"),
    ("gunicorn -k gevent --bind=0.0.0.0:80 shop.wsgi -t 30", "shop.wsgi"),
    ("uvicorn --host localhost:80", "uvicorn"),
    ("celery worker", "celery"),
    ("celery worker -E -B -Ashop.tasks -l INFO", "shop.tasks"),
    (r"C:\venv\Scripts\uvicorn.exe shop.web:app", "shop.web:app"),
    ("./celery.py -A shop", "./celery.py"),
    ("ipython --simple-prompt", "<console>"),
    ("hypercorn -k trio wsgi:shop.web:wsgi", "shop.web:wsgi"),
    ("gunicorn --a-new-flag shop.web:create_app('x')", "shop.web:create_app('x')"),
    ("gunicorn -b :8000 -w4 -- shop.web", "shop.web"),
    ("uvicorn --a-new-flag shop.web:app", "shop.web:app"),
    ("uvicorn --ws-max-size 1 shop.web:app --port=80 --no-access-log", "shop.web:app"),
    ("flask -A shop.flask_app --debug run", "shop.flask_app"),
    ("fastapi run", "fastapi"),
    ("streamlit hello", "streamlit"),
    ("pytest -k ask -x checks/shop_checks.py::test_it_answers[1]", "checks/shop_checks.py"),
    ("pytest --rootdir shop -c pyproject.toml .", "pytest"),
    ("django-admin migrate --settings=store_site.settings", "store_site.settings"),
]

ASK_ALL = """
import json, sys
from whence.sdk.context.program import find_program
found = []
for sys.argv in json.loads(sys.stdin.read()):
    program = find_program()
    found.append([program.name, program.kind, program.source])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[str, list[str]]:
    """What is found for every command line: name, kind and source."""
    repository = make_repository(tmp_path_factory.mktemp("programs"))
    given = [words for words, _ in LAUNCHED]
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", ASK_ALL],
        cwd=repository,
        env={"PATH": os.environ["PATH"], "HOME": str(repository)},
        input=json.dumps([split_words(words) for words in given]),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return dict(zip(given, json.loads(answer.stdout), strict=True))


def split_words(words: str) -> list[str]:
    first, *rest = words.split()
    has_folder = "/" in first or "\\" in first
    return [first if has_folder else f"{sys.prefix}/bin/{first}", *rest]


@pytest.mark.parametrize(("words", "name"), LAUNCHED)
def test_the_application_is_found_among_a_launchers_words(found, words: str, name: str):
    assert found[words][0] == name


def test_a_marimo_program_is_a_notebook_and_a_served_one_is_not(found):
    assert found["marimo -q edit --no-token script.py"][1] == "NOTEBOOK"
    assert found["fastapi dev shop/web.py --port 8000"][1] == "LOCAL"


def test_the_launcher_is_told_as_where_the_name_comes_from(found):
    assert found["daphne -p 8000 shop.web:app"][2] == "daphne's arguments"


WORDS = st.one_of(
    st.sampled_from(
        "uvicorn gunicorn hypercorn granian flask fastapi celery pytest streamlit django-admin"
        " -c -m - -- -A --app= --app --settings -k run shop.web:app a:b:c (x) .. / :80 a/b.py".split()
    ),
    st.text(max_size=8),
)


@settings(max_examples=300, deadline=None)
@example(argv=["-m"], folder=False)
@example(argv=["uvicorn", "/"], folder=False)
@example(argv=["celery", "-A", "/", "worker"], folder=False)
@given(argv=st.lists(WORDS, max_size=6), folder=st.booleans())
def test_no_command_line_is_too_odd(argv: list[str], folder: bool):
    before = diagnostics.counts.get("internal_errors", 0)
    with pytest.MonkeyPatch.context() as patch:
        if argv and folder:
            argv = [f"{sys.prefix}/bin/{argv[0]}", *argv[1:]]
        patch.setattr(sys, "argv", argv)
        patch.setattr(sys, "orig_argv", [sys.executable, *argv])
        found = find_program()
    assert found.name is None or found.name
    assert found.kind in ("LOCAL", "JOB", "NOTEBOOK", "UNKNOWN")
    assert diagnostics.counts.get("internal_errors", 0) == before
