"""The critical path of a trace: which span each moment of its duration belongs to.

From a span's end one walks back: the child that ended last is what was waited for, before it the
one that ended last before that one began, and so on; what lies between is the span's own time. The
own times of all spans on the path add up to the root's duration, exactly, so that a difference of
duration divides into spans without a rest.

Times of children are cut to their parent's (clocks of several machines differ). A span whose parent
is not there hangs on the root that starts first; time that no root covers belongs to no span. No
recursion: a thousand levels are no trouble.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Tree:
    """The spans of one trace by their places: `roots`, the children of each, and their times."""

    __slots__ = ("children", "end_ns", "roots", "start_ns")

    def __init__(
        self,
        span_ids: Sequence[str],
        parent_ids: Sequence[str],
        start_ns: Sequence[int],
        end_ns: Sequence[int],
    ) -> None:
        """Arrange; spans that are their own ancestors become roots."""
        self.start_ns, self.end_ns = start_ns, end_ns
        places = {span_id: place for place, span_id in enumerate(span_ids)}
        self.children: list[list[int]] = [[] for _ in span_ids]
        tops: list[int] = []
        for place, parent_id in enumerate(parent_ids):
            parent = places.get(parent_id) if parent_id else None
            if parent is None or parent == place:
                tops.append(place)
            else:
                self.children[parent].append(place)
        self.roots = tops
        self._break_circles()
        self._gather_orphans(parent_ids)

    def _break_circles(self) -> None:
        seen = bytearray(len(self.children))
        stack = list(self.roots)
        for top in range(len(self.children) + 1):
            while stack:
                place = stack.pop()
                if not seen[place]:
                    seen[place] = 1
                    self.children[place] = [one for one in self.children[place] if not seen[one]]
                    stack += self.children[place]
            if top < len(self.children) and not seen[top]:
                self.roots.append(top)
                stack.append(top)

    def _gather_orphans(self, parent_ids: Sequence[str]) -> None:
        """Hang spans whose parent was not recorded on the first root that has none."""
        real = [place for place in self.roots if not parent_ids[place]]
        if not real or len(self.roots) == 1:
            return
        first = min(real, key=lambda place: self.start_ns[place])
        self.children[first] += [place for place in self.roots if place != first]
        self.roots = [first]


def own_times(tree: Tree) -> list[int]:
    """Return each span's own ns on the critical path, 0 for spans that nobody waited for."""
    own = [0] * len(tree.children)
    stack = [(root, tree.start_ns[root], tree.end_ns[root]) for root in tree.roots]
    while stack:
        place, start, end = stack.pop()
        if end <= start:
            continue
        now = end
        children = tree.children[place]
        if len(children) > 1:
            children = sorted(children, key=lambda one: tree.end_ns[one], reverse=True)
        for child in children:
            until = min(tree.end_ns[child], now)
            since = max(tree.start_ns[child], start)
            if until <= since:
                continue
            own[place] += now - until
            stack.append((child, since, until))
            now = since
        own[place] += now - start
    return own


def depth_of(tree: Tree) -> int:
    """Return how many spans lie on the longest way down from a root."""
    deepest = 0
    level = tree.roots
    while level:
        deepest += 1
        level = [child for place in level for child in tree.children[place]]
    return deepest
