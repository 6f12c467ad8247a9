"""Every test here sees its own spans, and leaves tracing as it found it."""

from __future__ import annotations

import json
import logging

import pytest

import whence
from whence import semconv
from whence.testing import capture_spans


@pytest.fixture(autouse=True)
def fresh_tracing(monkeypatch):
    for name in (
        "WHENCE_EXPERIMENT",
        "MLFLOW_EXPERIMENT_NAME",
        "MLFLOW_EXPERIMENT_ID",
        "WHENCE_DISABLED",
    ):
        monkeypatch.delenv(name, raising=False)
    whence.tracing.reset()
    yield
    whence.tracing.reset()


@pytest.fixture
def spans():
    with capture_spans() as captured:
        yield captured


@pytest.fixture
def inputs_of():
    return lambda record: json.loads(record.attributes[semconv.INPUTS])


@pytest.fixture
def outputs_of():
    return lambda record: json.loads(record.attributes[semconv.OUTPUTS])


@pytest.fixture
def warnings_logged(caplog):
    caplog.set_level(logging.WARNING, logger="whence")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "whence"]
