"""End to end: a request with a session, a framework on its server, `whence server`, a filter."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

import whence
from web_servers import GUNICORN, UVICORN, serving_application
from whence import semconv
from whence.web import pseudonymise_user

KEY = "a secret that all services share"
CASES = {
    "starlette": (UVICORN, "starlette_app:app"),
    "fastapi": (UVICORN, "fastapi_app:app"),
    "flask": (GUNICORN, "flask_app:app"),
    "django-wsgi": (GUNICORN, "django_app:application"),
    "django-asgi": (UVICORN, "django_app:asgi_application"),
}


def find(filter_string: str):
    return whence.search_traces(filter_string=filter_string, return_type="list")


def wait_until_found(filter_string: str, number: int) -> None:
    """Wait for so many traces: a server that is killed may lose its last half second."""
    deadline = time.monotonic() + 30
    while len(find(filter_string)) < number:
        assert time.monotonic() < deadline, f"{len(find(filter_string))} of {number} traces"
        time.sleep(0.05)


@pytest.mark.parametrize("case", CASES)
def test_the_traces_of_a_session_and_of_a_user_are_found(case, whence_server, experiment):
    server, target = CASES[case]
    env = {"WHENCE_URL": whence_server.url, "WHENCE_EXPERIMENT": experiment.name}

    def ask(number):
        headers = {
            "X-Session-ID": f"session-{number % 10}",
            "X-User-ID": f"user-{number % 4}",
            "X-Request-ID": f"request-{number}",
        }
        return httpx.get(
            f"{running.url}/ask", params={"n": str(number)}, headers=headers, timeout=30
        )

    with serving_application(server, target, **env, WHENCE_USER_KEY=KEY) as running:
        with ThreadPoolExecutor(8) as pool:
            assert {answer.status_code for answer in pool.map(ask, range(40))} == {200}
        wait_until_found("metadata.n > -1", 80)

    for number in range(10):
        found = find(f"metadata.`{semconv.SESSION}` = 'session-{number}'")
        numbers = {int(trace.info.trace_metadata["n"]) for trace in found}
        assert numbers == {number, number + 10, number + 20, number + 30}
        assert len(found) == 8  # two traces a request
    found = find(f"metadata.`{semconv.TRACE_USER}` = '{pseudonymise_user('user-3', key=KEY)}'")
    assert len(found) == 20
    assert not find(f"metadata.`{semconv.TRACE_USER}` = 'user-3'")
    for trace in found:
        assert trace.info.client_request_id == f"request-{trace.info.trace_metadata['n']}"
        assert trace.info.provenance[semconv.TRACE_USER] == "header X-User-ID"
