"""MLflow's traces straight from PostgreSQL and MySQL, where the programs of a server are installed.

Where they are not, there is nothing to run: `postgresql`, and `mariadb-server` of Debian, have them.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from databases import PASSWORD, database_server, is_installed
from moved_traces import plain
from running import read_all, record

from serving import serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
KINDS = [kind for kind in ("postgresql", "mysql") if is_installed(kind)]
TRACES = 40


@pytest.fixture(scope="module")
def drivers(tmp_path_factory):
    """The drivers of the extra `import`, in a folder of their own."""
    folder = str(tmp_path_factory.mktemp("drivers"))
    wanted = ["psycopg[binary]>=3.2", "pymysql[rsa]>=1.1"]
    command = ["uv", "pip", "install", "-q", "--python", sys.executable, "--target", folder]
    subprocess.run([*command, *wanted], check=True)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_of_a_server_arrives_trace_by_trace(whence, drivers, tmp_path, kind):
    driver = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}[kind]
    with database_server(kind) as address, serving(tmp_path / "store") as running:
        empty = whence("import", "mlflow", address, url=running.url, PYTHONPATH=drivers)
        assert empty.code == 2 and "no table trace_info" in empty.err, empty.err
        original = record(address.replace(kind, driver, 1), TRACES, PYTHONPATH=drivers)
        assert len(original) == TRACES
        for number in range(2):
            done = whence("import", "mlflow", address, url=running.url, PYTHONPATH=drivers)
            assert done.code == 0, done.err
            assert f"imported {TRACES} traces" in done.err and "7 assessments" in done.err, number
        moved = read_all(running.url)
        wrong = address.replace("ann:", "ann:x")
        refused = whence("import", "mlflow", wrong, url=running.url, PYTHONPATH=drivers)
        assert refused.code == 1 and "can't be opened" in refused.err
        assert PASSWORD not in refused.err and "Traceback" not in refused.err, refused.err
    assert moved.keys() == original.keys()
    assert [one for one in original if plain(moved[one]) != plain(original[one])] == []
