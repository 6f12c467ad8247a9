"""ClickHouse's HTTP interface, answered by a chDB engine: a real engine for the real HTTP client.

Run as a program, `python clickhouse_server.py DIRECTORY`; it prints its port and ends when its
standard input is closed. It speaks what clickhouse-connect uses: the query in the body, in the URL
or in a form field; `param_*`, `database` and settings as URL parameters; inserts in any format with
the data behind the statement; gzip, lz4 and zstd both ways; basic authentication; errors with
ClickHouse's text, status and `X-ClickHouse-Exception-Code`; `X-ClickHouse-Summary`. It keeps a
server's limits on the length of a URL (1 MiB) and of a form field (128 KiB).

Every request has a connection of its own, so settings and database never leak into another.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import socket
import sys
import tempfile
import threading
from pathlib import Path
from urllib.parse import parse_qsl

import chdb
import lz4.frame
import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

USER, PASSWORD = "whence", "p@ss/w:rd"
MAX_URL_BYTES = 1 << 20
MAX_FIELD_BYTES = 128 << 10
ERROR_STATUS = {60: 404, 81: 404, 192: 403, 497: 403, 516: 403}

COMPRESSORS = {
    "lz4": (lz4.frame.compress, lz4.frame.decompress),
    "zstd": (zstd.compress, zstd.decompress),
    "gzip": (gzip.compress, gzip.decompress),
}
# URL parameters of the HTTP interface itself; what remains is a setting of the query.
INTERFACE_PARAMETERS = {
    "query",
    "database",
    "default_format",
    "session_id",
    "query_id",
    "role",
    "compress",
    "decompress",
    "wait_end_of_query",
    "client_protocol_version",
    "enable_http_compression",
    "send_progress_in_http_headers",
    "http_headers_progress_interval_ms",
}
INSERT = re.compile(rb"\s*INSERT\s+INTO\s.*?\bFORMAT\s+\w+[ \t]*\n", re.IGNORECASE | re.DOTALL)
FIELD_NAME = re.compile(rb'name="([^"]*)"')


class RefusedError(Exception):
    """An answer that the engine is not asked for."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {text}")


def read_form(body: bytes, content_type: str) -> dict[str, bytes]:
    """Return the fields of a multipart body."""
    boundary = b"--" + content_type.partition("boundary=")[2].strip('"').encode()
    fields = {}
    for part in body.split(boundary)[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = FIELD_NAME.search(head)
        assert name is not None, head
        value = value.removesuffix(b"\r\n")
        if len(value) > MAX_FIELD_BYTES:
            raise RefusedError(1000, "HTML Form Exception: Field value too long (POCO_EXCEPTION)")
        fields[name[1].decode()] = value
    return fields


def check_user(authorization: str) -> None:
    expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    if authorization != expected:
        raise RefusedError(516, "Authentication failed (AUTHENTICATION_FAILED)")


class Server:
    """An ASGI application over the engine in one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.keep_open = chdb.connect(str(directory))

    async def __call__(self, scope, receive, send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        response = await run_in_threadpool(self.answer, request, body)
        await response(scope, receive, send)

    def answer(self, request: Request, body: bytes) -> Response:
        if request.url.path == "/ping":
            return Response("Ok.\n")
        try:
            if len(request.scope["query_string"]) > MAX_URL_BYTES:
                raise RefusedError(1000, "URI Too Long (POCO_EXCEPTION)")
            check_user(request.headers.get("authorization", ""))
            data, headers = self.run(request, body)
        except Exception as error:
            text = str(error)
            found = re.search(r"Code: (\d+)", text)
            code = int(found[1]) if found else 1001
            return Response(
                text + " (version 26.9.2.1)\n",
                status_code=ERROR_STATUS.get(code, 500),
                headers={"X-ClickHouse-Exception-Code": str(code)},
            )
        for name in request.headers.get("accept-encoding", "").split(","):
            if name.strip() in COMPRESSORS and "enable_http_compression" in request.query_params:
                data = COMPRESSORS[name.strip()][0](data)
                headers["Content-Encoding"] = name.strip()
                break
        return Response(data, headers=headers)

    def run(self, request: Request, body: bytes) -> tuple[bytes, dict[str, str]]:
        values = {key: value.encode() for key, value in parse_query(request)}
        encoding = request.headers.get("content-encoding")
        if encoding:
            body = COMPRESSORS[encoding][1](body)
        content_type = request.headers.get("content-type", "")
        if content_type.startswith("multipart/form-data"):
            values |= read_form(body, content_type)
            body = b""
        statement = b"\n".join(part for part in (values.get("query", b""), body) if part)
        connection = chdb.connect(str(self.directory))
        try:
            return execute(connection, statement, {k: v.decode() for k, v in values.items()})
        finally:
            connection.close()


def parse_query(request: Request) -> list[tuple[str, str]]:
    return parse_qsl(request.scope["query_string"].decode(), keep_blank_values=True)


def execute(connection, statement: bytes, values: dict[str, str]) -> tuple[bytes, dict[str, str]]:
    if values.get("database"):
        connection.query(f"USE `{values['database']}`", "TabSeparated")
    for name, value in values.items():
        if name not in INTERFACE_PARAMETERS and not name.startswith("param_"):
            quoted = value.replace("\\", "\\\\").replace("'", "\\'")
            connection.query(f"SET {name} = '{quoted}'", "TabSeparated")
    insert = INSERT.match(statement)
    if insert:
        return insert_rows(connection, insert[0].decode(), statement[insert.end() :])
    parameters = {k.removeprefix("param_"): v for k, v in values.items() if k.startswith("param_")}
    # A string statement is UTF-8; the engine itself applies the FORMAT clause at its end.
    result = connection.query(statement.decode(), "TabSeparated", params=parameters)
    data = bytes(result.bytes() or b"")
    headers = {"X-ClickHouse-Summary": summarise(result, 0)}
    if data:
        headers["X-ClickHouse-Format"] = "TabSeparated"
    return data, headers


def insert_rows(connection, statement: str, data: bytes) -> tuple[bytes, dict[str, str]]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        into, _, data_format = statement.rpartition("FORMAT")
        sql = f"{into} FROM INFILE '{file.name}' FORMAT {data_format}"
        result = connection.query(sql, "TabSeparated")
        return b"", {"X-ClickHouse-Summary": summarise(result, result.rows_read())}


def summarise(result, written: int) -> str:
    return json.dumps({"read_rows": str(result.rows_read()), "written_rows": str(written)})


def end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        Server(Path(sys.argv[1])),
        log_level="warning",
        lifespan="off",
        http="h11",
        h11_max_incomplete_event_size=4 * MAX_URL_BYTES,
    )
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
