"""Links of traces to runs and versions of prompts, which are kept elsewhere, in tags as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whence.errors import InvalidInputError
from whence.ingest.edits import find_trace
from whence.ingest.jsontext import from_json, to_json
from whence.ingest.tags import MAX_TAG_VALUE_CHARS
from whence.store.rows import TagRow
from whence.store.tags import read_tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.ingest.group import Group
    from whence.ingest.memory import TraceState
    from whence.store.connection import Store


class ExtendTag:
    """Add items to the list that a tag of some traces holds; those already there are not repeated.

    All of the traces, or none: raises NotFoundError for the first that isn't there, and
    InvalidInputError where a list grows longer than a tag may be, or a tag holds no list.
    """

    def __init__(
        self, store: Store, trace_ids: Sequence[str], key: str, items: Sequence[Any]
    ) -> None:
        self._store = store
        self._trace_ids = list(dict.fromkeys(trace_ids))
        self._key = key
        self._items = items

    def apply(self, group: Group) -> None:
        """Stage the longer lists."""
        states = [find_trace(group, trace_id) for trace_id in self._trace_ids]
        stored = {
            tag.trace_id: tag
            for tag in read_tags(self._store, self._trace_ids)
            if tag.key == self._key
        }
        longer: dict[str, str] = {}
        for state in states:
            listed = self._read(group, state, stored.get(state.trace_id))
            extended = list(listed)
            for item in self._items:
                if item not in extended:
                    extended.append(item)
            if extended == listed:
                continue
            text = longer[state.trace_id] = to_json(extended)
            if len(text) > MAX_TAG_VALUE_CHARS:
                raise InvalidInputError(
                    f"trace {state.trace_id} has too many links: tag '{self._key}' would be "
                    f"{len(text)} characters long, {MAX_TAG_VALUE_CHARS} is the limit"
                )
        for trace_id, text in longer.items():
            version = group.clock.tick()
            group.add_tag(TagRow(trace_id=trace_id, key=self._key, value=text, version=version))
            group.mention(trace_id)

    def finish(self, group: Group) -> None:
        """Nothing more to say."""

    def _read(self, group: Group, state: TraceState, stored: TagRow | None) -> list[Any]:
        tag = group.newest_tag(state.trace_id, self._key, stored)
        if tag is None:
            text = group.read_row(state).tags.get(self._key, "")
        else:
            text = "" if tag.deleted else tag.value
        listed = from_json(text or "[]")
        if not isinstance(listed, list):
            raise InvalidInputError(
                f"tag '{self._key}' of trace {state.trace_id} holds no JSON list of links, and is "
                "not overwritten: delete or set the tag first"
            )
        return listed
