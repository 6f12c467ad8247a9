"""Hints at mislabelled traffic: each a sign, its count, and the filter that gives its traces.

A hint is no proof. Work trees with changes, notebooks and computers of persons have no place in
production; a host that sends development's traces as well as production's may run one of them under
the wrong name; an environment written in another way may be a slip.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from whence import semconv
from whence.entities.environments import EnvironmentHint
from whence.entities.version import Counted
from whence.query.arms import all_of
from whence.query.environment_facts import HOST, NOTEBOOK, find_desktops, read_machines
from whence.query.filters import Comparison, render
from whence.query.vocabulary import Field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.entities.version import VersionRow
    from whence.query.environment_facts import EnvironmentFacts, Machine
    from whence.query.filters import Filter
    from whence.query.version_source import Selection
    from whence.store.connection import Store

DEVELOPMENT = "development"
GUARDED = re.compile(r"(.*[-_. ])?(prod|production)([-_. ].*)?")
# Logins of services and of containers, which say nothing of persons.
SERVICE_USERS = frozenset(
    {"root", "app", "appuser", "nobody", "daemon", "service", "www-data", "nginx", "default"}
    | {"ubuntu", "debian", "ec2-user", "admin", "azureuser", "opc", "node", "user", "container"}
    | {"runner", "jenkins", "gitlab-runner", "vscode", "airflow", "celery"}
)
WELL_KNOWN = frozenset(semconv.WELL_KNOWN_ENVIRONMENTS.values())
ALIKE = 0.85
MAX_VALUES = 20  # shown; a filter names them all
_ENVIRONMENT = Field("attribute", "environment")
_VERSION = Field("attribute", "app_version")
_COMMIT = Field("attribute", "commit")
_SPELLING = Field("metadata", semconv.ENVIRONMENT)
_SEPARATORS = re.compile(r"[-_. ]+")


def is_guarded(environment: str | None) -> bool:
    """Tell whether an environment is production by its name (`production`, `prod-eu`)."""
    return environment is not None and GUARDED.fullmatch(environment) is not None


class Hints:
    """Finds hints in the traces of a selection; `narrowed` are its conditions as a filter."""

    def __init__(self, store: Store, selection: Selection, narrowed: Sequence[Filter]) -> None:
        """Take what the hints are about."""
        self._store, self._selection, self._narrowed = store, selection, narrowed

    def find(
        self, facts: Sequence[EnvironmentFacts], versions: Sequence[VersionRow]
    ) -> list[EnvironmentHint]:
        """Return all hints, those of most traces first."""
        total = sum(one.traces for one in facts)
        found = [
            *self._of_labels(facts, total),
            *self._of_machines(facts),
            *self._of_spellings(facts),
            *self._of_versions(versions),
        ]
        return sorted(found, key=lambda one: (-one.traces, one.kind, one.environment or ""))

    def _of_labels(self, facts: Sequence[EnvironmentFacts], total: int) -> list[EnvironmentHint]:
        found = []
        for one in facts:
            here = _in(one.environment)
            if one.environment is None:
                found.append(
                    self._hint(
                        "unknown_environment",
                        None,
                        (one.traces, total),
                        [],
                        "traces name no environment",
                        "set WHENCE_ENVIRONMENT, or environment= in whence.configure(…)",
                        [here],
                    )
                )
            unknown = [Comparison(field, "IS NULL") for field in (_VERSION, _COMMIT)]
            found.append(
                self._hint(
                    "unknown_version",
                    one.environment,
                    (one.unversioned, one.traces),
                    [],
                    f"traces{_of(one.environment)} name neither a version nor a commit",
                    "set WHENCE_APP_VERSION, or bake a stamp into the image (`whence stamp`)",
                    [here, *unknown],
                )
            )
            if not is_guarded(one.environment):
                continue
            found.append(
                self._hint(
                    "dirty_work_tree",
                    one.environment,
                    (one.dirty, one.traces),
                    [],
                    f"traces{_of(one.environment)} come from a work tree with uncommitted changes",
                    "deploy a commit; if it was a try-out, set another WHENCE_ENVIRONMENT for it",
                    [here, Comparison(Field("attribute", "dirty"), "=", ("true",))],
                )
            )
            found.append(
                self._hint(
                    "notebook",
                    one.environment,
                    (one.notebooks, one.traces),
                    [],
                    f"traces{_of(one.environment)} come from a notebook",
                    "set WHENCE_ENVIRONMENT=development where notebooks run",
                    [here, Comparison(Field("metadata", semconv.SOURCE_TYPE), "=", (NOTEBOOK,))],
                )
            )
        return [one for one in found if one is not None]

    # --- Machines ----------------------------------------------------------------------------

    def _of_machines(self, facts: Sequence[EnvironmentFacts]) -> list[EnvironmentHint]:
        names = [one.environment for one in facts if one.environment is not None]
        guarded = [name for name in names if is_guarded(name)]
        loose = [DEVELOPMENT]
        hosts = read_machines(
            self._store,
            self._selection,
            HOST,
            guarded=guarded,
            loose=loose,
            only_shared=False,
        )
        desktops = find_desktops(self._store, hosts)
        users = read_machines(
            self._store, self._selection, semconv.USER, guarded=guarded, loose=loose
        )
        users = [one for one in users if one.value.lower() not in SERVICE_USERS]
        found = []
        for one in facts:
            if one.environment not in guarded:
                continue
            at_desks = [host for host in hosts if host.value in desktops]
            shared = [host for host in hosts if host.is_shared and host.value not in desktops]
            of_hosts = [
                self._of_machine(one, HOST, at_desks, "person_computer"),
                self._of_machine(one, HOST, shared, "shared_host"),
            ]
            of_users = self._of_machine(one, semconv.USER, users, "shared_user")
            # The person of these very hosts is no further sign.
            known = sum(hint.traces for hint in of_hosts if hint is not None)
            found += [*of_hosts, of_users if of_users and of_users.traces > known else None]
        return [one for one in found if one is not None]

    def _of_machine(
        self, facts: EnvironmentFacts, key: str, machines: Sequence[Machine], kind: str
    ) -> EnvironmentHint | None:
        environment = facts.environment or ""
        values = [
            Counted(one.value, one.traces[environment])
            for one in machines
            if environment in one.traces and _can_be_said(one.value)
        ]
        text, mend = _MACHINES[kind]
        return self._hint(
            kind,
            environment,
            (sum(one.count for one in values), facts.traces),
            values,
            text.format(of=_of(environment)),
            mend,
            [_in(environment), _among(Field("metadata", key), values)],
        )

    # --- Names -------------------------------------------------------------------------------

    def _of_spellings(self, facts: Sequence[EnvironmentFacts]) -> list[EnvironmentHint]:
        found = []
        for one in facts:
            spellings = [
                Counted(name, count)
                for name, count in one.spellings
                if name is not None and _can_be_said(name)
            ]
            usual, others = spellings[:1], spellings[1:]
            if others:
                found.append(
                    self._hint(
                        "other_spelling",
                        one.environment,
                        (sum(other.count for other in others), one.traces),
                        others,
                        f"traces{_of(one.environment)} write it otherwise than {usual[0].value!r}; "
                        "they are counted together",
                        "write it in one way, so that metadata.environment finds them all",
                        [_in(one.environment), _among(_SPELLING, others)],
                    )
                )
        return [one for one in [*found, *self._of_near_names(facts)] if one is not None]

    def _of_near_names(self, facts: Sequence[EnvironmentFacts]) -> list[EnvironmentHint | None]:
        names = {one.environment: one.traces for one in facts if one.environment is not None}
        found = []
        for one in facts:
            name = one.environment
            if name is None or name in WELL_KNOWN:
                continue
            near = find_near(name, [*names, *WELL_KNOWN], names)
            if near is not None:
                found.append(
                    self._hint(
                        "like_another",
                        name,
                        (one.traces, one.traces),
                        [Counted(name, one.traces)],
                        f"traces name the environment {name!r}, which is nearly {near!r}; they are "
                        "counted apart",
                        f'mend the name, or set WHENCE_ENVIRONMENT_ALIASES="{name}={near}"',
                        [_in(name)],
                    )
                )
        return found

    # --- Versions ----------------------------------------------------------------------------

    def _of_versions(self, versions: Sequence[VersionRow]) -> list[EnvironmentHint]:
        """Return the versions that are several: by other manifests, or other commits."""
        found = []
        for row in versions:
            if row.app_version is None or not row.warnings or not _can_be_said(row.app_version):
                continue
            named = Comparison(_VERSION, "=", (row.app_version,))
            field = Field("metadata", semconv.MANIFEST)
            counted = [Counted(one.digest, one.traces) for one in row.manifests]
            parts: list[Filter] = [named]
            of = row.traces + row.unfinished
            if len(counted) < 2 or "manifests" not in row.warnings[0]:  # noqa: PLR2004 - two differ
                field = _COMMIT
                counted = [Counted(one.commit, one.traces) for one in row.commits]
                parts.append(Comparison(Field("attribute", "state"), "!=", ("IN_PROGRESS",)))
                of = row.traces
            others = counted[1:]
            found.append(
                self._hint(
                    "version_of_several",
                    None,
                    (sum(one.count for one in others), of),
                    others,
                    f"traces of {row.warnings[0]}; they are not of the most frequent one",
                    "give each state of the code a version of its own "
                    f"(`whence versions diff {counted[0].value[:7]} {others[0].value[:7]}`)",
                    [*parts, _among(field, others)],
                    version=row.app_version,
                )
            )
        return [one for one in found if one is not None]

    def _hint(
        self,
        kind: str,
        environment: str | None,
        counts: tuple[int, int],
        values: Sequence[Counted],
        text: str,
        mend: str,
        parts: Sequence[Filter],
        *,
        version: str | None = None,
    ) -> EnvironmentHint | None:
        traces, of = counts
        if not traces:
            return None
        try:
            filter_string = render(all_of(*parts, *self._narrowed))
        except ValueError:  # a name with both kinds of quotes: nothing could lead to these traces
            return None
        return EnvironmentHint(
            kind=kind,
            environment=environment,
            version=version,
            traces=traces,
            of=of,
            share=traces / max(of, traces),
            values=list(values[:MAX_VALUES]),
            text=f"{traces:,} of {of:,} {text}",
            mend=mend,
            filter_string=filter_string,
        )


_MACHINES = {
    "person_computer": (
        "traces{of} come from a computer of a person, by its name or its system",
        "set WHENCE_ENVIRONMENT=development on that computer",
    ),
    "shared_host": (
        "traces{of} come from a host that sends development's traces as well",
        "look which of its programs run under the wrong WHENCE_ENVIRONMENT",
    ),
    "shared_user": (
        "traces{of} come from a login that runs development's programs as well",
        "look which of its programs run under the wrong WHENCE_ENVIRONMENT",
    ),
}


def find_near(name: str, known: Sequence[str], traces: dict[str, int]) -> str | None:
    """Return the name that another one nearly is: a slip of the pen, or other separators."""
    for other in sorted(set(known), key=lambda one: (-traces.get(one, 0), one)):
        if other == name or other.startswith(name) or name.startswith(other):
            continue
        if _SEPARATORS.sub("", other) == _SEPARATORS.sub("", name):
            # Of two that nobody knows, the rarer is the slip.
            if other in WELL_KNOWN or traces.get(other, 0) >= traces.get(name, 0):
                return other
        elif other in WELL_KNOWN and difflib.SequenceMatcher(None, name, other).ratio() >= ALIKE:
            return other
    return None


def _in(environment: str | None) -> Filter:
    if environment is None:
        return Comparison(_ENVIRONMENT, "IS NULL")
    return Comparison(_ENVIRONMENT, "=", (environment,))


def _among(field: Field, values: Sequence[Counted]) -> Filter:
    return Comparison(field, "IN", tuple(one.value for one in values))


def _of(environment: str | None) -> str:
    return " without an environment" if environment is None else f" of {environment}"


def _can_be_said(value: str) -> bool:
    """Tell whether a filter can hold this text: it has no escapes for quotes."""
    return not ("'" in value and '"' in value)
