"""Documents: texts that belong to a whole process, such as the diff of its work tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from whence.errors import NotFoundError
from whence.server.openapi import answers
from whence.server.replies import pack
from whence.store.documents import read_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from whence.server.services import Services


class StoredDocument(msgspec.Struct):
    """A text, under the kind and the hash that metadata names it by."""

    kind: str
    hash: str
    text: str
    received_at_ms: int


def documents_router(services: Services) -> APIRouter:
    """Read documents."""
    router = APIRouter(prefix="/api/v1/documents", tags=["documents"])

    @router.get(
        "/{kind}/{hash}",
        operation_id="get_document",
        responses=answers(StoredDocument, missing="There is no such document"),
    )
    async def get_document(
        request: Request, kind: str, document_hash: Annotated[str, Path(alias="hash")]
    ) -> Response:
        return await services.read(_answer, services, kind, document_hash, request.headers)

    return router


def _answer(
    services: Services, kind: str, document_hash: str, headers: Mapping[str, str]
) -> Response:
    row = read_document(services.store, kind, document_hash)
    if row is None:
        raise NotFoundError(
            f"Document of kind '{kind[:100]}' with hash '{document_hash[:200]}' not found."
        )
    return pack(StoredDocument(row.kind, row.hash, row.text, row.received_at_us // 1000), headers)
