"""A Flask application; `whence.web.instrument` is all that concerns headers."""

from __future__ import annotations

import contextvars
from concurrent.futures import ThreadPoolExecutor

import work
from flask import Flask, Response, request

import whence

app = Flask(__name__)
whence.web.instrument(app)


@app.get("/ask")
def ask():
    return work.ask(request.args["n"], int(request.args.get("meet", "0")))


@app.get("/stream")
def stream():
    return Response(work.produce(request.args["n"]), mimetype="text/plain")


@app.get("/thread")
def thread():
    number = request.args["n"]
    with ThreadPoolExecutor(1) as pool:
        pool.submit(contextvars.copy_context().run, work.record, "thread", number).result()
    return number


@app.get("/fail")
def fail():
    work.fail(request.args["n"])
