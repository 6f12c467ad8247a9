"""What a retriever returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Document:
    """A piece of text with its metadata, in the outputs of a RETRIEVER span."""

    page_content: str
    metadata: dict[str, Any] = field(default_factory=dict)
    id: str | None = None

    @classmethod
    def from_langchain_document(cls, document: Any) -> Document:
        """Read a LangChain `Document`."""
        return cls(
            page_content=document.page_content,
            metadata=dict(document.metadata),
            id=getattr(document, "id", None),
        )

    @classmethod
    def from_llama_index_node_with_score(cls, node_with_score: Any) -> Document:
        """Read a LlamaIndex `NodeWithScore`; the score becomes metadata."""
        metadata = dict(node_with_score.node.metadata)
        metadata["score"] = node_with_score.get_score()
        return cls(
            page_content=node_with_score.node.get_content(),
            metadata=metadata,
            id=node_with_score.node.node_id,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"page_content": self.page_content, "metadata": self.metadata, "id": self.id}
