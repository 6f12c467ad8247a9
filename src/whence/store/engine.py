"""Clients of the engine: chDB in this process, or a ClickHouse server over HTTP.

Both are clickhouse-connect's `Client`, so everything above runs the same SQL on either.

Limits: chDB takes one directory per process, and its clients don't survive a fork. Server settings
of chDB (memory, fsync, disk reserve) go through `engine.xml`, written into the store's directory at
every start; a ClickHouse server keeps its own.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

import clickhouse_connect
import msgspec
from clickhouse_connect.driver.binding import quote_identifier
from clickhouse_connect.driver.exceptions import Error as EngineError
from clickhouse_connect.driver.exceptions import OperationalError

from whence.errors import StoreError, StoreInUseError, UnavailableError, WhenceError
from whence.store import fork

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

ENGINE_FOLDER = "db"
STATUS_FILE = "status"  # the engine's own lock, with its pid
CONFIG_FILE = "engine.xml"
MEBIBYTE = 1 << 20
PACKED_PART_BYTES = 64 * MEBIBYTE  # uncompressed: some 30,000 traces, or 60,000 spans

# Schemes of a ClickHouse server → clickhouse-connect's interface (None: by the port).
INTERFACES: dict[str, str | None] = {
    "clickhouse": None,
    "clickhouses": "https",
    "http": "http",
    "https": "https",
}

UNKNOWN_DATABASE = 81
TIMEOUT_EXCEEDED = 159
# What passes by itself, or when somebody makes room: the same statement may succeed later.
UNAVAILABLE_CODES: dict[int, str] = {
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",
    243: "NOT_ENOUGH_SPACE",
    252: "TOO_MANY_PARTS",
    279: "ALL_CONNECTION_TRIES_FAILED",
    319: "UNKNOWN_STATUS_OF_INSERT",
    999: "KEEPER_EXCEPTION",
}
RETRY_AFTER_S = 5.0

# Skip indexes are made by merges: an insert that makes them too takes twice as long (12 and 22 ms
# for 100 traces), and what has not been merged yet is small enough to be read without.
# A comparison is not answered from a text index alone, without its column: over parts whose index
# has not been made the engine then fails, on columns that may be NULL (349) and on lambdas (43).
SETTINGS = {
    "materialize_skip_indexes_on_insert": 0,
    "query_plan_direct_read_from_text_index": 0,
    "query_plan_text_index_add_hint": 0,
    # `packed` tells an infinite number from an absent one.
    "output_format_json_quote_denormals": 1,
}

_CONFIG = """\
<!-- Written by Whence at every start; edits are lost. -->
<clickhouse>
    <max_server_memory_usage>{server_memory_bytes}</max_server_memory_usage>
    <merge_tree>
        <fsync_after_insert>1</fsync_after_insert>
        <fsync_part_directory>1</fsync_part_directory>
        <min_rows_to_fsync_after_merge>1</min_rows_to_fsync_after_merge>
        <min_compressed_bytes_to_fsync_after_merge>1</min_compressed_bytes_to_fsync_after_merge>
        <min_free_disk_bytes_to_perform_insert>{reserve}</min_free_disk_bytes_to_perform_insert>
        <!-- A part is one file, synced once, and not ten or, from a merge, 120: an insert waits for
             what it syncs, and for what others do. -->
        <min_bytes_for_full_part_storage>{packed_part_bytes}</min_bytes_for_full_part_storage>
    </merge_tree>
</clickhouse>
"""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the embedded engine may take from the machine."""

    server_memory_bytes: int
    query_memory_bytes: int
    disk_reserve_bytes: int


def is_server_url(url: str) -> bool:
    """Tell a ClickHouse server's URL from a directory's path."""
    return urlsplit(url).scheme in INTERFACES and "://" in url


def redact(url: str) -> str:
    """Return the URL without its password, for messages."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = parts.username
    return urlunsplit((parts.scheme, f"{user}@{host}" if user else host, parts.path, "", ""))


def prepare_directory(directory: Path, limits: Limits) -> None:
    """Write the engine's settings into the store's directory."""
    text = _CONFIG.format(
        server_memory_bytes=limits.server_memory_bytes,
        reserve=limits.disk_reserve_bytes,
        packed_part_bytes=PACKED_PART_BYTES,
    )
    partial = directory / f"{CONFIG_FILE}.partial"
    partial.write_text(text)
    partial.replace(directory / CONFIG_FILE)


def open_embedded_client(directory: Path, limits: Limits) -> Client:
    """Open one more client of the engine in the store's directory.

    Raises StoreInUseError when another process holds it without our lock, and StoreError when this
    process has another directory open.
    """
    path = str(directory / ENGINE_FOLDER)
    try:
        client = clickhouse_connect.get_client(
            interface="chdb",
            path=path,
            chdb_options={"config-file": str(directory / CONFIG_FILE)},
            settings={**SETTINGS, "max_memory_usage": limits.query_memory_bytes},
        )
    except EngineError as error:
        if error.code is not None:
            raise explain(error) from error
        if "already initialized" in str(error):
            raise StoreError(
                f"can't open {directory}: this process has another store open, "
                f"and the engine takes one directory per process ({error})"
            ) from error
        holder = _read_engine_holder(directory)
        if holder is not None:
            raise StoreInUseError(
                f"the engine in {path} is held by process {holder}, which isn't a Whence server; "
                "stop it first"
            ) from error
        raise StoreError(
            f"the engine in {path} could not start; its reason is on standard error ({error})"
        ) from error
    fork.guard_client(client, directory / ENGINE_FOLDER / STATUS_FILE)
    return client


def _read_engine_holder(directory: Path) -> int | None:
    """Return the pid in the engine's own `status` file, where that is another living process."""
    try:
        status = (directory / ENGINE_FOLDER / STATUS_FILE).read_text()
    except OSError:
        return None
    match = re.search(r"^PID: (\d+)", status, re.MULTILINE)
    if match is None or int(match[1]) == os.getpid():
        return None
    pid = int(match[1])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return pid
    return pid


def open_server_client(url: str) -> Client:
    """Open one more client of the ClickHouse server; its database is created when missing."""
    parts = urlsplit(url)
    database = unquote(parts.path.strip("/"))
    try:
        return _connect(url, parts.scheme)
    except EngineError as error:
        if error.code != UNKNOWN_DATABASE or not database:
            raise explain(error, where=redact(url)) from error
    try:
        with _connect(urlunsplit(parts._replace(path="")), parts.scheme) as client:
            client.command(f"CREATE DATABASE IF NOT EXISTS {quote_identifier(database)}")
        return _connect(url, parts.scheme)
    except EngineError as error:
        raise explain(error, where=redact(url)) from error


def _connect(url: str, scheme: str) -> Client:
    return clickhouse_connect.get_client(
        dsn=url,
        interface=INTERFACES[scheme],
        # Replicas behind a balancer share no session; a session would also serialise queries.
        autogenerate_session_id=False,
        client_name="whence",
        settings={**SETTINGS, "wait_for_async_insert": 1},
    )


def explain(error: EngineError, *, where: str = "the store's engine") -> WhenceError:
    """Translate the engine's error into ours: what to try again, and what is wrong for good."""
    text = str(error)
    if error.code in UNAVAILABLE_CODES or (
        error.code is None and isinstance(error, OperationalError)
    ):
        reason = UNAVAILABLE_CODES.get(error.code or 0, "no answer")
        return UnavailableError(
            f"{where} can't take this now ({reason}): {text}", retry_after_s=RETRY_AFTER_S
        )
    label = f" (code {error.code}, {error.name})" if error.code is not None else ""
    return StoreError(f"{where} refused{label}: {text}", code=error.code, name=error.name)


def read_machine_memory_bytes() -> int:
    """Return the machine's memory, or the container's limit where that is smaller."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in (
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ):
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return total
