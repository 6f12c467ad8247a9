"""Sessions and users: their sums against plain adding up, pages, the newest where all are too many."""

from __future__ import annotations

from collections import defaultdict

import pytest
from tests.query.rows import insert, trace

from whence import semconv
from whence.errors import FilterError, InvalidInputError
from whence.query import sessions
from whence.query.sessions import list_groups
from whence.store.hours import HOUR_MS

T0 = 481_000 * HOUR_MS
OTHER = {"session": "user", "user": "session"}
KEY = {"session": semconv.SESSION, "user": semconv.TRACE_USER}


@pytest.fixture
def plains(store, experiment_id):
    """Eighty traces of up to nine sessions and seven users, one in ten without."""
    found = []
    for index in range(80):
        metadata = {
            "environment": ("production", "staging")[index % 2],
            "app_version": f"{index // 30}",
        }
        if index % 10:
            metadata[KEY["session"]] = f"s{index % 9}"
        if index % 7:
            metadata[KEY["user"]] = f"u{index % 9 % 7}'\"✓"
        found.append(
            trace(
                f"tr-{experiment_id}-{index}",
                request_time_ms=T0 + index * 17 * 60_000,
                state="IN_PROGRESS" if index > 76 else "ERROR" if index % 5 == 1 else "OK",
                metadata=metadata,
                total_tokens=index if index % 3 == 0 else None,
                cost_usd=index / 8 if index % 4 == 0 else None,
                request_preview=f"question {index}",
                response_preview=f"answer {index}",
            )
        )
    insert(store, experiment_id, found, stale=True)
    return found


def expected(plains, by):
    """Return what each group adds up to, the latest active first."""
    groups = defaultdict(list)
    for one in plains:
        if one["metadata"].get(KEY[by]) is not None:
            groups[one["metadata"][KEY[by]]].append(one)
    return sorted(
        ((name, members) for name, members in groups.items()),
        key=lambda group: (-max(one["request_time_ms"] for one in group[1]), group[0]),
    )


def add_up(members, key):
    counted = [one[key] for one in members if one[key] is not None]
    return sum(counted) if counted else None


@pytest.mark.parametrize("by", ["session", "user"])
def test_groups_add_up_what_their_traces_say(store, experiment_id, plains, by):
    page = list_groups(store, by, experiment_ids=[experiment_id])
    wanted = expected(plains, by)
    assert [group.name for group in page.groups] == [name for name, _ in wanted]
    assert page.total == len(wanted)
    assert (page.next_cursor, page.counted_from_ms) == (None, None)
    for group, (_, members) in zip(page.groups, wanted, strict=True):
        others = {one["metadata"].get(KEY[OTHER[by]]) for one in members} - {None}
        assert group.traces == len(members)
        assert group.errors == sum(one["state"] == "ERROR" for one in members)
        assert group.unfinished == sum(one["state"] == "IN_PROGRESS" for one in members)
        assert group.total_tokens == add_up(members, "total_tokens")
        assert group.cost_usd == add_up(members, "cost_usd")
        assert group.others == len(others)
        assert group.users == (sorted(others)[: sessions.MAX_LISTED] if by == "session" else [])
        assert group.environments == sorted({one["metadata"]["environment"] for one in members})
        assert group.app_versions == sorted({one["metadata"]["app_version"] for one in members})
        assert (group.first_ms, group.last_ms) == (
            members[0]["request_time_ms"],
            members[-1]["request_time_ms"],
        )
        assert group.request_preview == members[0]["request_preview"]
        assert group.response_preview == members[-1]["response_preview"]


def test_pages_give_every_group_once(store, experiment_id, plains):
    names, cursor = [], None
    while True:
        page = list_groups(
            store, "session", experiment_ids=[experiment_id], max_results=2, cursor=cursor
        )
        assert page.total == 9
        names += [group.name for group in page.groups]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert names == [name for name, _ in expected(plains, "session")]


def test_one_is_found_by_its_name_whatever_it_holds(store, experiment_id, plains):
    name = "u3'\"✓"
    page = list_groups(
        store,
        "user",
        experiment_ids=[experiment_id],
        name=name,
        filter_string="state = 'OK' OR state = 'ERROR'",
    )
    [group] = page.groups
    [members] = [members for found, members in expected(plains, "user") if found == name]
    assert (group.name, group.traces) == (name, len(members))


def test_a_filter_and_times_narrow(store, experiment_id, plains):
    page = list_groups(
        store,
        "user",
        experiment_ids=[experiment_id],
        filter_string="environment = 'prod' AND session = 's4'",
        since_ms=T0,
        until_ms=T0 + 40 * 17 * 60_000,
    )
    members = [
        one
        for one in plains[:40]
        if one["metadata"]["environment"] == "production"
        and one["metadata"].get(KEY["session"]) == "s4"
        and KEY["user"] in one["metadata"]
    ]
    assert sum(group.traces for group in page.groups) == len(members) > 0


def test_too_many_are_counted_from_the_newest_hours_on(store, experiment_id, plains, monkeypatch):
    monkeypatch.setattr(sessions, "EXACT_TRACES", 30)
    page = list_groups(store, "session", experiment_ids=[experiment_id])
    assert page.counted_from_ms % HOUR_MS == 0
    newer = [one for one in plains if one["request_time_ms"] >= page.counted_from_ms]
    assert {group.name: group.traces for group in page.groups} == {
        name: len(members) for name, members in expected(newer, "session")
    }
    assert 0 < len(newer) < len(plains)


def test_nothing_found_is_an_empty_page(store, experiment_id, plains):
    page = list_groups(
        store, "user", experiment_ids=[experiment_id], filter_string="session = 'nobody'"
    )
    assert (page.groups, page.total, page.next_cursor) == ([], 0, None)


def test_bad_questions_are_refused(store):
    with pytest.raises(InvalidInputError, match="between 1 and 500, got 0"):
        list_groups(store, "session", max_results=0)
    with pytest.raises(InvalidInputError, match="not of a list of users; start again"):
        list_groups(store, "user", cursor="WyJzZXNzaW9uIiwxLCJhIl0=")
    with pytest.raises(InvalidInputError, match="start again"):
        list_groups(store, "user", cursor="%%%")
    with pytest.raises(FilterError):
        list_groups(store, "user", filter_string="sesion ==")
