"""Environments side by side: what `whence.environments` returns and `/api/v1/environments` answers.

These structs are the API's own JSON: the server writes them and the client reads them.
"""

from __future__ import annotations

import msgspec

from whence.entities.version import Counted, VersionRow


class EnvironmentRow(VersionRow, frozen=True, kw_only=True):
    """The traces of an environment (null: they name none), as a row of versions tells of them.

    `units` are the independent ones: sessions, else users, else traces; null where they were not
    counted. `versions` is how many versions its traces name, `spellings` how they write the
    environment. Tokens and cost a trace are means over those that tell them. `filter_string` gives
    these traces; null for a name that no filter can hold (it has both kinds of quotes).
    """

    units: int | None
    versions: int
    spellings: list[Counted]
    tokens_per_trace: float | None
    cost_usd_per_trace: float | None
    filter_string: str | None


class EnvironmentHint(msgspec.Struct, frozen=True, kw_only=True):
    """A sign that traces are labelled wrongly: `traces` of `of` show it (`share`).

    `kind` names the sign; `values` are what gives it away, with their traces (hosts, spellings,
    manifests). `filter_string` gives exactly these traces, `mend` says what to do. A hint about a
    version in all its environments has no `environment`.
    """

    kind: str
    environment: str | None
    version: str | None
    traces: int
    of: int
    share: float
    values: list[Counted]
    text: str
    mend: str
    filter_string: str


class EnvironmentOverview(msgspec.Struct, frozen=True, kw_only=True):
    """Environments, from development to production, then others, then traces that name none.

    `version` was asked for and is a `kind` (app_version, commit or manifest); both are null for
    all traces. `hints` stand with those of most traces first. `notes` say what was not looked at.
    Times are Unix ms in UTC; percentiles are within 1.1 % of the true ones.
    """

    version: str | None
    kind: str | None
    environments: list[EnvironmentRow]
    hints: list[EnvironmentHint]
    notes: list[str]
    elapsed_ms: float
