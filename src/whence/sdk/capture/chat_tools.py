"""The tools that a chat model was offered."""

from __future__ import annotations

from typing import Any

from whence.errors import InvalidInputError

CHAT_TOOLS = "mlflow.chat.tools"
EXPECTED = 'expected {"type": "function", "function": {"name": …, …}}'


def set_span_chat_tools(span: Any, tools: list[Any]) -> None:
    """Keep tool definitions on a span; see `whence.tracing`."""
    if not isinstance(tools, (list, tuple)):
        raise InvalidInputError(f"`tools` must be a list, but got {type(tools).__name__}.")
    span.set_attribute(CHAT_TOOLS, [_read_tool(tool) for tool in tools])


def _read_tool(tool: Any) -> dict[str, Any]:
    """Return a tool as a dict; it may be given as a model of Pydantic's."""
    dump = getattr(tool, "model_dump", None)
    given = dump(exclude_none=True) if callable(dump) else tool
    if not isinstance(given, dict):
        raise InvalidInputError(f"A tool must be a dict, but got {type(tool).__name__}; {EXPECTED}")
    function = given.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if given.get("type") != "function" or not isinstance(name, str) or not name:
        raise InvalidInputError(f"A tool is malformed: {given!r}; {EXPECTED}")
    return given
