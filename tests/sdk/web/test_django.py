"""What only Django has: options in its settings, files that servers send themselves."""

from __future__ import annotations

import subprocess
import sys

import httpx

from otlp_sink import Sink
from web_servers import APPLICATIONS, GUNICORN, serving_application
from whence import semconv
from whence.testing import strip_prefix


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )


def test_options_stand_in_the_setting_and_files_pass():
    sink = Sink()
    try:
        with serving_application(
            GUNICORN, "django_app:application", WHENCE_URL=sink.url
        ) as running:
            headers = {"X-Tenant": "t-1", "X-Session-ID": "s-1"}
            assert httpx.get(f"{running.url}/ask?n=1", headers=headers).text == "1"
            file = httpx.get(f"{running.url}/file", headers=headers)
        sink.wait_for("ask")
    finally:
        sink.close()
    assert file.content == (APPLICATIONS / "django_app.py").read_bytes()
    (ask,) = [span for span in sink.spans() if span.name == "ask"]
    assert strip_prefix(ask.attributes, semconv.METADATA_PREFIX) == {
        "n": "1",
        "tenant": "t-1",
        "path": "/ask",
        semconv.SESSION: "s-1",
    }


def test_an_unknown_option_is_refused_when_the_project_starts():
    done = run(
        "from django.conf import settings\n"
        "settings.configure(MIDDLEWARE=['whence.web.DjangoMiddleware'], WHENCE={'header': {}})\n"
        "from django.core.wsgi import get_wsgi_application\n"
        "get_wsgi_application()\n"
    )
    assert done.returncode == 1
    assert "The Django setting WHENCE is a dict of the options context, headers," in done.stderr
    assert "it can't hold 'header'" in done.stderr


def test_a_file_keeps_what_servers_look_for():
    done = run(
        "import sys\n"
        f"sys.path.insert(0, {str(APPLICATIONS)!r})\n"
        "import django_app\n"
        "from django.test import RequestFactory\n"
        "import whence\n"
        "handle = whence.web.DjangoMiddleware(django_app.send_file)\n"
        "response = handle(RequestFactory().get('/file', headers={'X-Session-ID': 's-1'}))\n"
        "assert response.file_to_stream is not None\n"
        "response.close()\n"
    )
    assert done.returncode == 0, done.stderr


def test_a_response_that_is_closed_early_leaves_nothing_to_the_next_request():
    done = run(
        "from django.conf import settings\n"
        "settings.configure()\n"
        "from django.http import HttpRequest, StreamingHttpResponse\n"
        "import whence\n"
        "from whence.sdk.capture import keys\n"
        "def words():\n"
        "    with whence.start_span('stream'):\n"
        "        yield 'one'\n"
        "        yield 'two'\n"
        "handle = whence.web.DjangoMiddleware(lambda request: StreamingHttpResponse(words()))\n"
        "request = HttpRequest()\n"
        "request.META['HTTP_X_SESSION_ID'] = 'cut'\n"
        "before = keys.get_current()\n"
        "response = handle(request)\n"
        "print(next(iter(response)))\n"
        "response.close()\n"
        "print(keys.get_current() is before, response.closed)\n"
    )
    assert done.stdout.splitlines() == ["b'one'", "True True"], done.stderr
