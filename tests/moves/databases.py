"""PostgreSQL and MySQL (or MariaDB) as MLflow's database: servers of one test, on the loopback."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

USER, PASSWORD, DATABASE = "ann", "p@ss/w:rd?#%", "mlflow"
POSTGRESQL_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
PLACES = os.pathsep.join(
    [os.environ["PATH"], "/usr/sbin", "/usr/libexec", *map(str, POSTGRESQL_FOLDERS)]
)
PROGRAMS = {
    "postgresql": ("initdb", "postgres", "psql"),
    "mysql": ("mariadb-install-db", "mariadbd"),
}
START_LIMIT_S = 60.0


def find(program: str) -> str | None:
    return shutil.which(program, path=PLACES)


def is_installed(kind: str) -> bool:
    return all(map(find, PROGRAMS[kind]))


@contextmanager
def database_server(kind: str) -> Iterator[str]:
    """Run a server with an empty database; yield its address, user and password in it."""
    with tempfile.TemporaryDirectory(prefix="whence-db-", dir="/tmp") as folder:
        start = {"postgresql": _start_postgresql, "mysql": _start_mariadb}[kind]
        port = _find_port()
        process = start(Path(folder), port)
        try:
            yield f"{kind}://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/{DATABASE}"
        finally:
            process.send_signal(signal.SIGINT if kind == "postgresql" else signal.SIGTERM)
            process.wait(30)


def _start_postgresql(folder: Path, port: int) -> subprocess.Popen[bytes]:
    user = _own(folder)  # it does not run as root
    data = folder / "data"
    _run(user, "initdb", "-D", str(data), "-U", "admin", "-A", "trust", "-E", "UTF8", "--no-sync")
    (data / "pg_hba.conf").write_text(
        "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
    )
    process = _popen(
        user, folder, "postgres", "-D", str(data), "-h", "127.0.0.1", "-p", str(port),
        "-k", str(folder), "-F",
    )  # fmt: skip
    _wait(process, folder / f".s.PGSQL.{port}")
    for statement in (
        f"CREATE USER {USER} PASSWORD '{PASSWORD}'",
        f"CREATE DATABASE {DATABASE} OWNER {USER}",
    ):
        connect = ["psql", "-q", "-h", str(folder), "-p", str(port), "-U", "admin"]
        _run_until_it_works(user, *connect, "-d", "postgres", "-c", statement)
    return process


def _start_mariadb(folder: Path, port: int) -> subprocess.Popen[bytes]:
    user = _own(folder)
    data = folder / "data"
    _run(
        user, "mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db",
        "--auth-root-authentication-method=normal",
    )  # fmt: skip
    first = folder / "first.sql"
    first.write_text(
        f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4;\n"
        f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
        f"GRANT ALL ON {DATABASE}.* TO {USER}@'127.0.0.1';\n"
    )
    process = _popen(
        user, folder, "mariadbd", "--no-defaults", f"--datadir={data}", f"--port={port}",
        "--bind-address=127.0.0.1", f"--socket={folder / 'socket'}", f"--init-file={first}",
        f"--pid-file={folder / 'pid'}", "--skip-name-resolve", "--skip-log-bin",
    )  # fmt: skip
    _wait(process, folder / "socket")
    return process


def _own(folder: Path) -> str:
    """Give a folder to a user who is not root; return the user's name."""
    if os.geteuid() != 0:
        return getpass.getuser()
    who = pwd.getpwnam("nobody")
    os.chown(folder, who.pw_uid, who.pw_gid)
    return who.pw_name


def _as(user: str) -> dict[str, object]:
    if os.geteuid() != 0:
        return {}
    who = pwd.getpwnam(user)
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


def _run(user: str, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = _try(user, program, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def _try(user: str, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(find(program)), *arguments],
        capture_output=True, text=True, check=False, timeout=120, cwd="/", **_as(user),
    )  # fmt: skip


def _run_until_it_works(user: str, program: str, *arguments: str) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while _try(user, program, *arguments).returncode:
        assert time.monotonic() < deadline, f"{program} has no answer"
        time.sleep(0.2)


def _popen(user: str, folder: Path, program: str, *arguments: str) -> subprocess.Popen[bytes]:
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [str(find(program)), *arguments], stdout=log, stderr=log, cwd="/",
            start_new_session=True, **_as(user),
        )  # fmt: skip


def _wait(process: subprocess.Popen[bytes], sign: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while not sign.exists():
        log = (sign.parent / "log").read_text(errors="replace")
        assert process.poll() is None and time.monotonic() < deadline, log
        time.sleep(0.1)


def _find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
