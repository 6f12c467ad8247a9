"""Environment variables as sources of the context: which ones, the table says.

`read_variables` yields what single variables say, `read_otel_attributes` what OpenTelemetry's list
does, `read_custom` what `WHENCE_METADATA_<KEY>` does, `read_run_context` MLflow's JSON object.
What can't be the value of its key (a commit that is `HEAD`, a branch that is a tag) counts as not
said.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import msgspec

from whence import semconv
from whence.otlp.repository_url import strip_credentials
from whence.sdk.context import table
from whence.sdk.context.found import Found

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

ENV = "env "
OTEL_ATTRIBUTES = "OTEL_RESOURCE_ATTRIBUTES"
RUN_CONTEXT = "MLFLOW_RUN_CONTEXT"
CUSTOM_PREFIX = "WHENCE_METADATA_"
CUSTOM_DOT = "__"
MAX_QUOTED_CHARS = 60

LISTS = frozenset({table.CUSTOM, table.OTEL_ATTRIBUTES, table.RUN_CONTEXT})  # not one value

# What MLFLOW_RUN_CONTEXT may set; MLflow ignores other keys as well.
RUN_CONTEXT_KEYS = tuple(
    row.key for row in table.TABLE if table.RUN_CONTEXT in row.sources
)  # in the table's order

SOURCE_TYPES = frozenset({"NOTEBOOK", "LOCAL", "JOB", "UNKNOWN"})
COMMIT = re.compile(r"^(?!0+$)[0-9a-f]{7,64}$")
PULL_REQUEST = re.compile(r"^(?:pull/\d+(?:/.*)?|\d+/(?:merge|head)|PR-\d+)$")


def read_variables(claimed: Collection[str] = ()) -> Iterator[Found]:
    """Yield what each variable of the table says; not of those that a platform sets itself.

    What can't be the value of its key is noted.
    """
    for row in table.TABLE:
        for source in row.sources:
            name = source.removeprefix(ENV)
            if name == source or name in claimed or source in LISTS:
                continue
            raw = os.environ.get(name, "").strip()
            if value := clean(row.key, raw):
                yield Found(row.key, value, source)
            elif raw:
                said = f"{source} says {raw[:MAX_QUOTED_CHARS]!r}, which can't be taken"
                yield Found(row.key, said, table.NOTE)


def read_custom() -> Iterator[Found]:
    """Yield `WHENCE_METADATA_<KEY>`: the key in lower case, `__` as a dot; a known key as it is."""
    for name, raw in os.environ.items():
        if not name.startswith(CUSTOM_PREFIX):
            continue
        key = name[len(CUSTOM_PREFIX) :].lower().replace(CUSTOM_DOT, ".")
        key = _KNOWN_KEYS.get(key, key)
        if key and (value := clean(key, raw)):
            yield Found(key, value, ENV + name)


def read_otel_attributes() -> Iterator[Found]:
    """Yield OpenTelemetry's attributes under the metadata keys that they become."""
    declared = parse_resource_attributes(os.environ.get(OTEL_ATTRIBUTES, ""))
    if declared.get(semconv.REFERENCE_TYPE, semconv.BRANCH_REFERENCE) != semconv.BRANCH_REFERENCE:
        declared.pop(semconv.REFERENCE_NAME, None)  # the name of a tag
    for key, names in semconv.METADATA_SOURCES.items():
        name = next((one for one in names if one in declared), None)
        if name is not None and (value := clean(key, declared[name])):
            yield Found(key, value, f"{table.OTEL_ATTRIBUTES} ({name})")
    for name, value in declared.items():
        if name not in semconv.METADATA_KEY_OF:
            yield Found(name, value, table.OTEL_ATTRIBUTES)


def read_run_context() -> Iterator[Found]:
    """Yield what `MLFLOW_RUN_CONTEXT`, a JSON object, says."""
    text = os.environ.get(RUN_CONTEXT)
    if not text:
        return
    try:
        given = msgspec.json.decode(text.encode("utf-8", "replace"))
    except msgspec.DecodeError:
        return
    if not isinstance(given, dict):
        return
    for key in RUN_CONTEXT_KEYS:
        if given.get(key) is not None and (value := clean(key, str(given[key]))):
            yield Found(key, value, table.RUN_CONTEXT)


def parse_resource_attributes(text: str) -> dict[str, str]:
    """Read `key=value,key=value` percent-encoded; a part without `=` is passed over."""
    if not text:
        return {}
    from urllib.parse import unquote

    pairs = (part.partition("=") for part in text.split(","))
    return {
        unquote(key.strip()): unquote(value.strip())
        for key, equals, value in pairs
        if equals and key.strip() and value.strip()
    }


def clean(key: str, value: str) -> str:
    """Return the value as it is kept, or '' where it can't be one."""
    value = value.strip()
    cleaner = CLEANERS.get(key)
    return cleaner(value) if cleaner else value


def clean_commit(value: str) -> str:
    """Refuse what is no commit, such as Buildkite's `HEAD` and git's forty zeros."""
    value = value.lower()
    return value if COMMIT.match(value) else ""


def clean_branch(value: str) -> str:
    """Cut `refs/heads/` and Jenkins's `origin/`; refuse other references and pull requests."""
    name = value.removeprefix("refs/heads/").removeprefix("origin/")
    is_none = name == "HEAD" or name.startswith("refs/") or PULL_REQUEST.match(name)
    return "" if is_none else name


def clean_tag(tag: str) -> str:
    """Cut the `v` of `v1.2.0`, as versions are written without it; another name stays as it is.

    >>> clean_tag("v1.2.0"), clean_tag("vnext"), clean_tag("release-7")
    ('1.2.0', 'vnext', 'release-7')
    """
    return tag[1:] if tag[:1] == "v" and tag[1:2].isdigit() else tag


def clean_type(value: str) -> str:
    """Write MLflow's words for the kind of a source in capitals; another word stays as it is."""
    return value.upper() if value.upper() in SOURCE_TYPES else value


CLEANERS: dict[str, Callable[[str], str]] = {
    semconv.GIT_COMMIT: clean_commit,
    semconv.GIT_BRANCH: clean_branch,
    semconv.GIT_REPO_URL: strip_credentials,
    semconv.SOURCE_TYPE: clean_type,
}
# By any name that a key goes by: `service.version` is `app_version`.
_KNOWN_KEYS = {
    **{key.lower(): key for key in (*table.ROWS, *semconv.METADATA_SOURCES)},
    **{name.lower(): key for name, key in semconv.METADATA_KEY_OF.items()},
}
