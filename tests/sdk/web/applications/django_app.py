"""A Django project in one file, for WSGI (`application`) and ASGI (`asgi_application`)."""

from __future__ import annotations

import asyncio
import contextvars
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import work
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.urls import path


def pass_on(get_response):
    """Stand between Whence's middleware and the views, in sync mode only."""

    def handle(request):
        return get_response(request)

    return handle


settings.configure(
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=[
        "django.middleware.common.CommonMiddleware",
        "whence.web.DjangoMiddleware",
        *(["django_app.pass_on"] if os.environ.get("MIXED") else []),
        "django.middleware.security.SecurityMiddleware",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of this test",
    WHENCE={"headers": {"X-Tenant": "tenant"}, "context": lambda request: {"path": request.path}},
)


def ask(request):
    return HttpResponse(work.ask(request.GET["n"], int(request.GET.get("meet", "0"))))


async def ask_async(request):
    return HttpResponse(await work.ask_async(request.GET["n"], int(request.GET.get("meet", "0"))))


def stream(request):
    return StreamingHttpResponse(work.produce(request.GET["n"]))


async def stream_async(request):
    return StreamingHttpResponse(work.produce_async(request.GET["n"]))


def thread(request):
    number = request.GET["n"]
    with ThreadPoolExecutor(1) as pool:
        pool.submit(contextvars.copy_context().run, work.record, "thread", number).result()
    return HttpResponse(number)


async def thread_async(request):
    number = request.GET["n"]
    await asyncio.to_thread(work.record, "thread", number)
    await sync_to_async(work.record)("task", number)
    return HttpResponse(number)


def send_file(request):
    return FileResponse(Path(__file__).open("rb"))


def fail(request):
    work.fail(request.GET["n"])


async def fail_async(request):
    work.fail(request.GET["n"])


urlpatterns = [
    path("ask", ask),
    path("ask-async", ask_async),
    path("stream", stream),
    path("stream-async", stream_async),
    path("thread", thread),
    path("thread-async", thread_async),
    path("file", send_file),
    path("fail", fail),
    path("fail-async", fail_async),
]
application = get_wsgi_application()
asgi_application = get_asgi_application()
