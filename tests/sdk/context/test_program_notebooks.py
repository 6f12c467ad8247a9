"""The source's name in notebooks: real kernels, and a Jupyter server and a Databricks that are played."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from otlp_sink import Sink
from program_runs import (
    BRANCH,
    NAME,
    SCRIPTS,
    TYPE,
    find_resource,
    make_environment,
    make_repository,
    run_to_end,
)

TOKEN = "a-token-of-the-test"  # noqa: S105
RUN = """
import os, sys, nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in sys.argv[1:]])
manager = AsyncKernelManager(connection_file=os.environ.get("KERNEL_FILE", ""))
NotebookClient(book, km=manager, timeout=60).execute()
"""
ASK = "from shop.asking import ask\nimport whence\nask()\nwhence.flush()"


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    return make_repository(tmp_path_factory.mktemp("programs"))


@pytest.fixture
def execute(repository: Path, sink: Sink, tmp_path: Path):
    """Run cells in a real kernel that a program starts, and return the resource of their trace."""

    def execute(*cells: str, **env: str):
        variables = make_environment(sink, tmp_path, **env)
        run_to_end([sys.executable, "-c", RUN, *cells], repository, variables)
        return find_resource(sink)

    return execute


def test_a_kernel_that_nobody_named_is_a_notebook_without_a_name(execute):
    resource = execute(ASK)
    assert resource[TYPE] == "NOTEBOOK"
    assert NAME not in resource
    assert resource[BRANCH] == "shop-main"


def test_jupyter_names_the_notebook_by_a_variable(execute, repository: Path):
    resource = execute(ASK, JPY_SESSION_NAME=str(repository / "notebook.ipynb"))
    assert (resource[NAME], resource[TYPE]) == ("notebook.ipynb", "NOTEBOOK")


def test_vs_code_names_the_notebook_among_the_users_names(execute, repository: Path):
    path = str(repository / "shop" / "analysis.ipynb")
    resource = execute(f"__vsc_ipynb_file__ = {path!r}", ASK)
    assert resource[NAME] == "shop/analysis.ipynb"


@pytest.mark.parametrize(
    "words", ["jupyter execute notebook.ipynb", "jupyter-execute notebook.ipynb"]
)
def test_a_notebook_that_a_command_executes_is_named_by_it(
    repository: Path, sink: Sink, tmp_path: Path, words: str
):
    first, *rest = words.split()
    run_to_end([str(SCRIPTS / first), *rest], repository, make_environment(sink, tmp_path))
    resource = find_resource(sink)
    assert (resource[NAME], resource[TYPE]) == ("notebook.ipynb", "NOTEBOOK")


class JupyterServer:
    """Knows the sessions of every kernel whose connection file lies in the folder."""

    def __init__(self, runtime: Path, root: Path, path: str) -> None:
        self.gate = threading.Event()
        self.gate.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.gate.wait(30)
                is_right = (
                    self.path == "/lab/api/sessions"
                    and self.headers["Authorization"] == f"token {TOKEN}"
                )
                kernels = [file.stem.removeprefix("kernel-") for file in runtime.glob("kernel-*")]
                sessions = [{"path": path, "kernel": {"id": kernel}} for kernel in kernels]
                body = json.dumps(sessions).encode()
                self.send_response(200 if is_right else 403)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request, client_address) -> None:
                assert isinstance(sys.exc_info()[1], ConnectionError)  # it gave up waiting

        self.server = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        said = {
            "url": f"http://127.0.0.1:{self.server.server_port}/lab/",
            "token": TOKEN,
            "root_dir": str(root),
        }
        runtime.mkdir(parents=True, exist_ok=True)
        (runtime / "jpserver-1.json").write_text(json.dumps(said))
        # Others lie there as well: one that has ended, one elsewhere, one that nobody can read.
        (runtime / "jpserver-0.json").write_text('{"url": "http://127.0.0.1:9/", "token": ""}')
        (runtime / "jpserver-00.json").write_text('{"url": "http://192.0.2.1/", "token": "secret"}')
        (runtime / "nbserver-2.json").write_text("{")

    def close(self) -> None:
        self.gate.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def jupyter(repository: Path, tmp_path: Path):
    server = JupyterServer(tmp_path / "runtime", repository, "shop/daily.ipynb")
    yield server
    server.close()


def test_a_jupyter_server_is_asked_for_a_name_that_no_variable_tells(
    execute, jupyter: JupyterServer, tmp_path: Path
):
    resource = execute(ASK, KERNEL_FILE=str(tmp_path / "runtime" / "kernel-0a1b-2c3d.json"))
    assert (resource[NAME], resource[TYPE]) == ("shop/daily.ipynb", "NOTEBOOK")


def test_a_jupyter_server_that_hangs_does_not_hold_the_answer_back_for_long(
    execute, jupyter: JupyterServer, tmp_path: Path
):
    jupyter.gate.clear()
    timed = """
import sys, time
from whence.sdk.context import program
from whence.sdk.context.program.jupyter import find_kernel_file
assert find_kernel_file() is not None
started = time.monotonic()
found = program.find_late(program.find_program())
elapsed = time.monotonic() - started
assert found is None, found
assert elapsed < 4, elapsed
"""
    kernel_file = tmp_path / "runtime" / "kernel-0a1b-2c3d.json"
    resource = execute(timed, ASK, KERNEL_FILE=str(kernel_file))
    assert NAME not in resource


DBUTILS = """
class Some:
    def __init__(self, value): self.value = value
    def get(self):
        if self.value is None: raise LookupError("empty")
        return self.value
class Context:
    def notebookPath(self): return Some({path!r})
    def jobId(self): return Some({job!r})
    def idInJob(self): return Some({run!r})
class dbutils:
    class notebook:
        class entry_point:
            def getDbutils(): return dbutils.Java
    class Java:
        def notebook(): return dbutils.Java
        def getContext(): return Context()
"""


@pytest.mark.parametrize(
    ("told", "name", "kind"),
    [
        ({"path": "/Users/ann/daily", "job": None, "run": None}, "/Users/ann/daily", "NOTEBOOK"),
        ({"path": None, "job": "12", "run": "7"}, "jobs/12/run/7", "JOB"),
    ],
)
def test_databricks_is_asked_through_its_dbutils(execute, told: dict, name: str, kind: str):
    """Played: an object with the calls of Databricks's `dbutils`."""
    resource = execute(DBUTILS.format(**told), ASK, DATABRICKS_RUNTIME_VERSION="15.4")
    assert (resource[NAME], resource[TYPE]) == (name, kind)


def test_a_databricks_context_in_memory_is_enough(execute):
    """Played: the module that newer Databricks runtimes load."""
    play = """
import sys, types
context = types.SimpleNamespace(notebookPath="/Users/ann/weekly", jobId="", idInJob=None)
sys.modules["dbruntime.databricks_repl_context"] = types.SimpleNamespace(get_context=lambda: context)
"""
    resource = execute(play, ASK, DATABRICKS_RUNTIME_VERSION="15.4")
    assert (resource[NAME], resource[TYPE]) == ("/Users/ann/weekly", "NOTEBOOK")
