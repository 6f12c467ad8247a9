"""Versions of the program: which there are, what each is made of, and what changed between two."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from whence.entities.version import Counted, VersionDetail, VersionRow
from whence.entities.version_diff import VersionDiff
from whence.errors import InvalidInputError
from whence.sdk.reading.client import Client, current_client

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

DEFAULT_MAX_RESULTS = 100


def search_versions(
    environment: str | None = None,
    *,
    by_environment: bool = False,
    quality: bool = True,
    since_ms: int | None = None,
    until_ms: int | None = None,
    max_results: int = DEFAULT_MAX_RESULTS,
    locations: Sequence[str] | None = None,
) -> list[VersionRow]:
    """Return the versions that traces name, the newest first.

    They stand in the order of their commits where that is known, else of their version numbers,
    else of first sight. With `by_environment` each environment has rows of its own. `quality=False`
    leaves the means of feedback out, which take longest. Times are Unix milliseconds, `until_ms` is
    excluded. `locations` are experiment ids, by default all.

    >>> import whence
    >>> [one.app_version for one in whence.search_versions("nowhere")]
    []
    """
    client = current_client()
    client.catch_up()
    return read_versions(
        client,
        environment=environment,
        by="environment" if by_environment else None,
        quality=quality,
        since=since_ms,
        until=until_ms,
        max_versions=max_results,
        experiment_id=_list(locations),
    )


def get_version(
    name: str, *, environment: str | None = None, locations: Sequence[str] | None = None
) -> VersionDetail:
    """Return a version with its manifests, and with what was seen in its traces.

    `name` is an app version, or the beginning (7 digits) of a commit or of a manifest's digest.
    Raises `NotFoundError` where no trace names it, and `InvalidInputError` where it may be several.
    """
    client = current_client()
    client.catch_up()
    query = {"version": name, "environment": environment, "experiment_id": _list(locations)}
    return msgspec.convert(client.call("GET", "/versions/detail", query=query), VersionDetail)


def diff_versions(
    before: str,
    after: str,
    *,
    environment: str | None = None,
    locations: Sequence[str] | None = None,
    repository: str | os.PathLike[str] | None = ".",
) -> VersionDiff:
    """Return what changed from one version to another, named as for `get_version`.

    `repository` is a folder within the code's git repository, which tells the authors and files of
    the commits between; None looks at none. `to_text()` and `to_markdown()` write the result out.
    """
    client = current_client()
    client.catch_up()
    return read_diff(
        client,
        before,
        after,
        repository=repository,
        environment=environment,
        experiment_id=_list(locations),
    )


def read_versions(client: Client, **query: Any) -> list[VersionRow]:
    """Return the rows of `GET /api/v1/versions`."""
    query["quality"] = "true" if query.get("quality") else None
    return msgspec.convert(
        client.call("GET", "/versions", query=query)["versions"], list[VersionRow]
    )


def read_diff(
    client: Client,
    before: str,
    after: str,
    *,
    repository: str | os.PathLike[str] | None,
    **query: Any,
) -> VersionDiff:
    """Return the answer of `GET /api/v1/versions/diff`, with what a repository at hand tells."""
    asked = {"before": before, "after": after, **query}
    found = msgspec.convert(client.call("GET", "/versions/diff", query=asked), VersionDiff)
    if repository is None or not (found.commits.before and found.commits.after):
        return found
    return _look_at_repository(found, Path(repository))


def _look_at_repository(diff: VersionDiff, folder: Path) -> VersionDiff:
    from whence.sdk.context.work_tree.commits_between import find_commits_between

    commits = diff.commits
    seen = find_commits_between(folder, commits.before or "", commits.after or "")
    if seen is None:
        return diff
    if seen.order == "unknown":
        notes = [*diff.notes, seen.reason] if seen.reason else diff.notes
        return msgspec.structs.replace(diff, notes=notes)
    more = msgspec.structs.replace(
        commits,
        order=seen.order,
        count=seen.count,
        looked_at=seen.looked_at,
        merge_base=seen.merge_base,
        authors=None if seen.authors is None else [Counted(*one) for one in seen.authors],
        files=seen.files,
        file_count=seen.file_count,
        subjects=seen.subjects,
    )
    return msgspec.structs.replace(diff, commits=more)


def _list(locations: Sequence[str] | None) -> list[str] | None:
    if isinstance(locations, str):
        raise InvalidInputError("`locations` is a list of experiment ids.")
    return [str(one) for one in locations] if locations else None
