"""The web pages: built files under `/assets/`, and `index.html` for every path that is not an API.

The files are made from `ui/` when the package is built. A server without them says how to build
them, and works otherwise. Assets are read and compressed when they are first asked for and kept in
memory, 2 MB in all: a browser's first view waits for one of 440 kB.
"""

from __future__ import annotations

import mimetypes
import secrets
import zlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response

from whence.server.replies import COMPRESS_ABOVE_BYTES, GZIP_WINDOW
from whence.server.security import KEYED_SEGMENTS, PAGE_HEADERS, page_headers

STATIC = Path(__file__).parent / "static"
FOREVER = "public, max-age=31536000, immutable"  # file names carry a hash of their content
NEVER = "no-cache"
INDEX = "index.html"
NONCE_PLACE = "{CSP_NONCE}"
MISSING_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Whence</title>
<h1>The server runs; its web pages are not built</h1>
<p>In a clone, <code>just ui</code> (or <code>uv sync --reinstall-package whence</code>) builds them
into <code>src/whence/server/static</code>. Nothing else is missing: see
<a href="/api/openapi.json">/api/openapi.json</a> and the <code>whence</code> command.</p>
</html>
"""


def pages_router(static: Path = STATIC) -> APIRouter:
    """Serve the web pages. Include this router last: it takes every path."""
    router = APIRouter(include_in_schema=False)
    root = static.resolve()

    @router.get("/assets/{path:path}")
    @router.head("/assets/{path:path}")
    def get_asset(path: str, request: Request) -> Response:
        file = find_file(root / "assets", path)
        if file is None:
            raise HTTPException(404)
        asset = load_asset(file, file.stat().st_mtime_ns)
        headers = {"cache-control": FOREVER, "vary": "accept-encoding"}
        body = asset.content
        if asset.compressed and "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            body = asset.compressed
        return Response(body, media_type=asset.media_type, headers=headers)

    @router.get("/{path:path}")
    @router.head("/{path:path}")
    def get_page(path: str) -> Response:
        if path.partition("/")[0] in KEYED_SEGMENTS:
            raise HTTPException(404)
        file = find_file(root, path)
        if file is not None and file.name != INDEX:
            return FileResponse(file, headers={**PAGE_HEADERS, "cache-control": NEVER})
        index = root / INDEX
        if index.is_file():
            return answer_page(index)
        return HTMLResponse(MISSING_PAGE, headers={**PAGE_HEADERS, "cache-control": NEVER})

    return router


class Asset(NamedTuple):
    """A file as it is sent; `compressed` is empty where that would not help."""

    content: bytes
    compressed: bytes
    media_type: str


@lru_cache(maxsize=128)
def load_asset(file: Path, modified_ns: int) -> Asset:
    """Read a file once for each time that it was written."""
    del modified_ns  # part of the key
    content = file.read_bytes()
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    compressed = b""
    if len(content) > COMPRESS_ABOVE_BYTES and media_type.startswith(("text/", "application/j")):
        stream = zlib.compressobj(level=9, wbits=GZIP_WINDOW)
        compressed = stream.compress(content) + stream.flush()
    return Asset(content, compressed, media_type)


def answer_page(index: Path) -> Response:
    """Answer the page with a nonce of its own for styles.

    Without an etag: with a "not modified" a browser would join an old page and a new nonce.
    """
    nonce = secrets.token_urlsafe(16)
    text = index.read_text(encoding="utf-8").replace(NONCE_PLACE, nonce)
    return HTMLResponse(text, headers={**page_headers(nonce), "cache-control": NEVER})


def find_file(root: Path, path: str) -> Path | None:
    """Return the file of a path below a folder; None where there is none, or it lies outside."""
    try:
        file = (root / path).resolve()
    except ValueError:  # a null byte
        return None
    return file if file.is_relative_to(root) and file.is_file() else None
