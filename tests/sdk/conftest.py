"""What tests of the SDK share: a receiver, a real server, and a process that talks to it."""

from __future__ import annotations

import pytest

import whence
from otlp_sink import Sink
from serving import serving


@pytest.fixture
def sink():
    """A receiver of OTLP that keeps what comes."""
    sink = Sink()
    yield sink
    sink.close()


@pytest.fixture(scope="session")
def whence_server(tmp_path_factory):
    """One `whence server` for the session; tests keep apart by their experiments."""
    with serving(tmp_path_factory.mktemp("sdk") / "store") as running:
        yield running


@pytest.fixture
def experiment(request, whence_server, monkeypatch):
    """Make this process record to the server, into an experiment that only this test has."""
    for name in ("WHENCE_EXPERIMENT", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.delenv(name, raising=False)
    whence.tracing.reset()
    whence.set_tracking_uri(whence_server.url)
    yield whence.set_experiment(request.node.nodeid)
    whence.flush()
    whence.tracing.reset()
