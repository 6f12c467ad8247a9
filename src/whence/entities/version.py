"""Versions as the server tells of them: numbers, manifests, and what was seen in their traces.

These structs are the API's own JSON: the server writes them and the client reads them.
"""

from __future__ import annotations

import msgspec

from whence.entities.version_manifest import VersionManifest  # noqa: TC001 - msgspec reads it


class VersionCommit(msgspec.Struct, frozen=True):
    """A commit and the number of traces that name it."""

    commit: str
    traces: int


class VersionManifestUse(msgspec.Struct, frozen=True):
    """A manifest's digest and the number of traces that name it, with those that have not ended."""

    digest: str
    traces: int


class VersionQuality(msgspec.Struct, frozen=True):
    """The mean of the feedback of a name, how often it was given, and to how many traces."""

    name: str
    mean: float
    count: int
    traces: int


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A version's traces.

    `app_version` is null for those that name none; then `commit` is theirs, null where that is
    unknown too. `environment` is null unless versions are listed by environment (and then for
    traces without one). `traces` have ended, `unfinished` have not. `error_rate` and percentiles
    (ms) are of ended traces, null without any. Tokens and cost are sums; `counted` and `priced` say
    of how many traces they are known. `commits` and `manifests`: the most frequent ones; `dirty`:
    traces whose work tree had changes. `quality` is of feedback, where it was asked for. `warnings`
    say in words what makes the version doubtful, such as two manifests under one name.
    """

    app_version: str | None
    environment: str | None
    commit: str | None
    traces: int
    unfinished: int
    errors: int
    error_rate: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    spans: int
    counted: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    priced: int
    cost_usd: float
    commits: list[VersionCommit]
    commit_count: int
    dirty: int
    manifests: list[VersionManifestUse]
    manifest_count: int
    first_seen_ms: int
    last_seen_ms: int
    quality: list[VersionQuality] = []
    warnings: list[str] = []


class Counted(msgspec.Struct, frozen=True):
    """A value and how often it was seen: in traces for models that answered, else in spans."""

    value: str
    count: int


class VersionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen; `sampled` traces were looked into for all but `models_answered`.

    `deployment` is {metadata key: values} of where these traces ran.
    """

    models_answered: list[Counted]
    models_requested: list[Counted]
    tools: list[Counted]
    span_names: list[Counted]
    deployment: dict[str, list[Counted]]
    sampled: int


class ManifestDetail(msgspec.Struct, frozen=True):
    """A manifest and the traces that name it; null where it has not arrived."""

    digest: str
    traces: int
    manifest: VersionManifest | None


class VersionDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A version as it was asked for: `name`, which is an `app_version`, `commit` or `manifest`.

    `summary` is of all its traces, `environments` of each environment. `manifests` come with the
    most frequent one first.
    """

    name: str
    kind: str
    summary: VersionRow
    environments: list[VersionRow]
    manifests: list[ManifestDetail]
    seen: VersionSeen
