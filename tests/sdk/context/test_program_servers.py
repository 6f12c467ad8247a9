"""Behind a server the source is the application: real servers, asked once, and their traces."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from otlp_sink import Sink
from program_runs import (
    BRANCH,
    NAME,
    SCRIPTS,
    TYPE,
    ask_server,
    find_port,
    find_resource,
    make_environment,
    make_repository,
    running,
)

PYTHON = sys.executable


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    return make_repository(tmp_path_factory.mktemp("programs"))


def serve(words: list[str], cwd: Path, sink: Sink, home: Path, **env: str):
    """Start a server on a free port, ask it once; return the trace's resource and whether a child answered."""
    port = find_port()
    words = [word.replace("{port}", str(port)) for word in words]
    if not Path(words[0]).is_absolute():
        words[0] = str(SCRIPTS / words[0])
    with running(words, cwd, make_environment(sink, home, **env)) as process:
        answered = ask_server(process, port)
        return find_resource(sink), answered != process.pid


slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("words", "name", "by_child"),
    [
        ("uvicorn shop.web:app --port {port}", "shop.web:app", False),
        ("uvicorn shop.web:app --reload --port {port}", "shop.web:app", True),
        ("uvicorn --port {port} --workers 2 shop.web:app", "shop.web:app", True),
        ("uvicorn --factory --port {port} shop.web:create_app", "shop.web:create_app", False),
        pytest.param(f"{PYTHON} -m uvicorn shop.web:app --workers 2 --port {{port}}", "shop.web:app", True, marks=slow),
        pytest.param(f"{PYTHON} -X dev -Wignore -m uvicorn shop.web:app --port {{port}}", "shop.web:app", False, marks=slow),
        ("gunicorn -w 2 -b 127.0.0.1:{port} shop.web:wsgi", "shop.web:wsgi", True),
        ("gunicorn --preload -b 127.0.0.1:{port} shop.web:wsgi", "shop.web:wsgi", True),
        ("gunicorn --reload -k gthread -b 127.0.0.1:{port} -c computed_conf.py", "shop.web:wsgi", True),
        pytest.param("gunicorn -b 127.0.0.1:{port} --config=plain_conf.py", "shop.web:wsgi", True, marks=slow),
        ("gunicorn -k uvicorn.workers.UvicornWorker shop.web:app -b 127.0.0.1:{port}", "shop.web:app", True),
        pytest.param("gunicorn -b 127.0.0.1:{port} store_site.wsgi", "store_site.wsgi", True, marks=slow),
        ("hypercorn shop.web:app -b 127.0.0.1:{port}", "shop.web:app", True),
        pytest.param("hypercorn --reload -w 2 asgi:shop.web:app -b 127.0.0.1:{port}", "shop.web:app", True, marks=slow),
        pytest.param("hypercorn -w 0 shop.web:app -b 127.0.0.1:{port}", "shop.web:app", False, marks=slow),
        ("granian --interface asgi --workers 2 --port {port} shop.web:app", "shop.web:app", True),
        pytest.param("granian --interface wsgi --port {port} shop.web:wsgi", "shop.web:wsgi", True, marks=slow),
        ("flask --app shop.flask_app run --port {port}", "shop.flask_app", False),
        pytest.param("flask -A shop.flask_app:create_app run --debug --port {port}", "shop.flask_app:create_app", True, marks=slow),
        (f"{PYTHON} manage.py runserver {{port}}", "manage.py", True),
        pytest.param("django-admin runserver {port} --noreload --pythonpath . --settings store_site.settings", "store_site.settings", False, marks=slow),
        (f"{PYTHON} serve_reference.py {{port}}", "serve_reference.py", True),
        pytest.param(f"{PYTHON} serve_object.py {{port}}", "serve_object.py", False, marks=slow),
    ],
)  # fmt: skip
def test_the_source_is_what_the_server_was_told_to_run(
    repository: Path, sink: Sink, tmp_path: Path, words: str, name: str, by_child: bool
):
    resource, is_child = serve(words.split(), repository, sink, tmp_path)
    assert resource[NAME] == name
    assert resource[TYPE] == "LOCAL"
    assert resource[BRANCH] == "shop-main"
    assert is_child == by_child


@pytest.mark.parametrize(
    "words",
    [
        "uvicorn --app-dir {repository} --workers 2 --port {port} shop.web:app",
        "gunicorn -b 127.0.0.1:{port} --chdir {repository} shop.web:wsgi",
    ],
)
def test_the_repository_is_the_applications_and_not_the_current_folders(
    repository: Path, sink: Sink, tmp_path: Path, words: str
):
    words = words.replace("{repository}", str(repository))
    resource, _ = serve(words.split(), tmp_path, sink, tmp_path)
    assert resource[BRANCH] == "shop-main"


@pytest.mark.parametrize(
    ("words", "env", "name"),
    [
        ("uvicorn --port {port}", {"UVICORN_APP": "shop.web:app"}, "shop.web:app"),
        pytest.param("flask run --port {port}", {"FLASK_APP": "shop.flask_app"}, "shop.flask_app", marks=slow),
        pytest.param("gunicorn -b 127.0.0.1:{port}", {"GUNICORN_CMD_ARGS": "--config plain_conf.py"}, "shop.web:wsgi", marks=slow),
    ],
)  # fmt: skip
def test_an_application_that_a_variable_names_is_found(
    repository: Path, sink: Sink, tmp_path: Path, words: str, env: dict[str, str], name: str
):
    resource, _ = serve(words.split(), repository, sink, tmp_path, **env)
    assert resource[NAME] == name
