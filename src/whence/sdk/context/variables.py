"""Environment variables that say where a program runs and which code it is, as one table.

Per metadata key the first variable that is set and readable wins. What starts with `WHENCE_` comes
first, then `OTEL_RESOURCE_ATTRIBUTES`, then what applications use, then what CI systems and
platforms set by themselves.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import msgspec

from whence import semconv
from whence.otlp.repository_url import strip_credentials
from whence.sdk.context.found import Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OTEL_ATTRIBUTES = "OTEL_RESOURCE_ATTRIBUTES"
OTEL_SERVICE_NAME = "OTEL_SERVICE_NAME"
RUN_CONTEXT = "MLFLOW_RUN_CONTEXT"

VARIABLES: dict[str, tuple[str, ...]] = {
    semconv.ENVIRONMENT: (
        "WHENCE_ENVIRONMENT",
        OTEL_ATTRIBUTES,
        "DEPLOYMENT_ENVIRONMENT",
        "APP_ENVIRONMENT",
        "APP_ENV",
        "ENVIRONMENT",
    ),
    semconv.APP_VERSION: ("WHENCE_APP_VERSION", OTEL_ATTRIBUTES, "APP_VERSION"),
    semconv.GIT_COMMIT: (
        "WHENCE_COMMIT",
        OTEL_ATTRIBUTES,
        "GIT_COMMIT",  # Jenkins, and a usual build argument
        "GIT_SHA",
        "COMMIT_SHA",
        "SOURCE_COMMIT",
        "GITHUB_SHA",
        "CI_COMMIT_SHA",  # GitLab
        "CIRCLE_SHA1",
        "BUILDKITE_COMMIT",
        "BITBUCKET_COMMIT",
        "BUILD_SOURCEVERSION",  # Azure Pipelines
        "RENDER_GIT_COMMIT",
        "VERCEL_GIT_COMMIT_SHA",
    ),
    semconv.GIT_BRANCH: (
        "WHENCE_BRANCH",
        OTEL_ATTRIBUTES,
        "GIT_BRANCH",
        "GITHUB_HEAD_REF",  # the source of a pull request
        "GITHUB_REF",  # refs/heads/…; of a pull request or a tag it names no branch
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
        "CI_COMMIT_BRANCH",
        "CIRCLE_BRANCH",
        "BUILDKITE_BRANCH",
        "BITBUCKET_BRANCH",
        "BUILD_SOURCEBRANCH",
        "RENDER_GIT_BRANCH",
        "VERCEL_GIT_COMMIT_REF",
    ),
    semconv.GIT_REPO_URL: (
        "WHENCE_REPOSITORY_URL",
        OTEL_ATTRIBUTES,
        "GIT_URL",
        "CI_PROJECT_URL",
        "CIRCLE_REPOSITORY_URL",
        "BUILDKITE_REPO",
        "BITBUCKET_GIT_HTTP_ORIGIN",
        "BUILD_REPOSITORY_URI",
    ),
    semconv.DEPLOYMENT_ID: ("WHENCE_DEPLOYMENT_ID", OTEL_ATTRIBUTES, "DEPLOYMENT_ID"),
    semconv.REGION: (
        "WHENCE_REGION",
        OTEL_ATTRIBUTES,
        "REGION",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "GOOGLE_CLOUD_REGION",
        "FLY_REGION",
    ),
    "service.name": (OTEL_SERVICE_NAME, OTEL_ATTRIBUTES),
    semconv.USER: ("MLFLOW_TRACKING_USERNAME",),
    semconv.SOURCE_RUN: ("MLFLOW_RUN_ID",),
}

# What MLFLOW_RUN_CONTEXT, a JSON object, may set; MLflow ignores other keys as well.
RUN_CONTEXT_KEYS = (
    semconv.USER,
    semconv.SOURCE_NAME,
    semconv.SOURCE_TYPE,
    semconv.GIT_COMMIT,
    semconv.GIT_BRANCH,
    semconv.GIT_REPO_URL,
)

COMMIT = re.compile(r"^[0-9a-fA-F]{7,64}$")


def read_variables() -> Iterator[Found]:
    """Yield what the environment says, at most one value a key, the strongest variable's."""
    declared = parse_resource_attributes(os.environ.get(OTEL_ATTRIBUTES, ""))
    run_context = _read_run_context()
    for key in dict.fromkeys((*VARIABLES, *RUN_CONTEXT_KEYS)):
        found = _find(key, declared)
        if found is None and key in run_context:
            found = Found(key, run_context[key], f"env {RUN_CONTEXT}")
        if found is not None:
            yield found
    for name, value in declared.items():
        if name not in _NAMES_WITH_A_KEY:
            yield Found(name, value, f"env {OTEL_ATTRIBUTES}")


def parse_resource_attributes(text: str) -> dict[str, str]:
    """Read `key=value,key=value` with percent-encoded values; a part without `=` is passed over."""
    if not text:
        return {}
    from urllib.parse import unquote

    pairs = (part.partition("=") for part in text.split(","))
    return {
        key.strip(): unquote(value.strip())
        for key, equals, value in pairs
        if equals and key.strip() and value.strip()
    }


def _find(key: str, declared: dict[str, str]) -> Found | None:
    for name in VARIABLES.get(key, ()):
        if name == OTEL_ATTRIBUTES:
            candidates = semconv.METADATA_SOURCES.get(key, ())
            attribute = next((one for one in candidates if one in declared), None)
            raw = declared[attribute] if attribute else ""
            source = f"env {name} ({attribute})"
        else:
            raw, source = os.environ.get(name, ""), f"env {name}"
        value = clean(key, raw)
        if value:
            return Found(key, value, source)
    return None


def _read_run_context() -> dict[str, str]:
    text = os.environ.get(RUN_CONTEXT)
    if not text:
        return {}
    try:
        given = msgspec.json.decode(text.encode("utf-8", "replace"))
    except msgspec.DecodeError:
        return {}
    if not isinstance(given, dict):
        return {}
    cleaned = {key: clean(key, str(given[key])) for key in RUN_CONTEXT_KEYS if key in given}
    return {key: value for key, value in cleaned.items() if value}


def clean(key: str, value: str) -> str:
    """Return the value as it is kept, or '' where it can't be one."""
    value = value.strip()
    cleaner = CLEANERS.get(key)
    return cleaner(value) if cleaner else value


def _clean_commit(value: str) -> str:
    """Refuse what is not a commit, such as Buildkite's `HEAD`."""
    return value.lower() if COMMIT.match(value) else ""


def _clean_branch(value: str) -> str:
    """Cut `refs/heads/` and Jenkins's `origin/`; other references name no branch."""
    name = value.removeprefix("refs/heads/").removeprefix("origin/")
    return "" if name.startswith("refs/") else name


CLEANERS: dict[str, Callable[[str], str]] = {
    semconv.GIT_COMMIT: _clean_commit,
    semconv.GIT_BRANCH: _clean_branch,
    semconv.GIT_REPO_URL: strip_credentials,
}
_NAMES_WITH_A_KEY = frozenset(
    name for key in VARIABLES for name in semconv.METADATA_SOURCES.get(key, ())
)
