"""The context as one table: every key, what it means, and who is asked for it, in order.

A row is the code and the documentation: `whence.sdk.context.ranking` takes the first source of a
row that knows a value, `whence context` lists the sources that were asked in vain, and
docs/context.md is made from the rows. A source is named in the words that the provenance of a
value uses. `env NAME` is one environment variable; the other names belong to the layers in
`whence.sdk.context.layers`.
"""

from __future__ import annotations

import msgspec

from whence import semconv

# --- Sources other than single variables --------------------------------------------------------
DECLARED = "configure()"
CUSTOM = "env WHENCE_METADATA_…"
OTEL_ATTRIBUTES = "env OTEL_RESOURCE_ATTRIBUTES"
RUN_CONTEXT = "env MLFLOW_RUN_CONTEXT"
STAMP = "stamp"
DIRECT_URL = "direct_url.json"
DOT_GIT = ".git"
LABELS = "image labels"
PLATFORM = "platform variables"
DISTRIBUTION = "package metadata"
PYPROJECT = "pyproject.toml"
TAG = "git describe"
PROGRAM = "the running process"
LATE_PROGRAM = "Jupyter or Databricks"
SYSTEM = "the operating system"
HOST = "host"

# No source: why a late layer could not tell a key's value, in words.
NOTE = "note"

# Each source in a few words, for the documentation.
MEANINGS: dict[str, str] = {
    DECLARED: "what the program says by `whence.configure(…)`",
    CUSTOM: "`WHENCE_METADATA_<KEY>`, for any key",
    OTEL_ATTRIBUTES: "OpenTelemetry's list of resource attributes",
    RUN_CONTEXT: "MLflow's JSON object of metadata",
    STAMP: "the file that `whence stamp` writes when an image is built",
    DIRECT_URL: "what the installer notes for code that it took from a version control URL, if the "
    "program is that installed code",
    DOT_GIT: "the repository of the program's own file, else of the current folder",
    LABELS: "OCI image labels, where they are mounted as a file",
    PLATFORM: "variables of a CI system or platform (below), if its marker is set",
    DISTRIBUTION: "the installed distribution that the program belongs to",
    PYPROJECT: "`pyproject.toml` above the program's file",
    TAG: "the tag at the commit; else the nearest one before it, asked of the git program in the "
    "background",
    PROGRAM: "what runs: its arguments, its main module, its notebook",
    LATE_PROGRAM: "the Jupyter server or the Databricks driver of a notebook, in the background",
    SYSTEM: "the operating system",
    HOST: "host, process, container, Kubernetes and cloud, as files and variables tell",
}


class Row(msgspec.Struct, frozen=True):
    """One key. `fix` says what makes it known; without one, the key is listed only where known."""

    key: str
    meaning: str
    sources: tuple[str, ...]
    fix: str = ""


def _asked(own: str, *others: str) -> tuple[str, ...]:
    """Return a row's sources: what every key is asked from first, then these."""
    return (DECLARED, *([f"env {own}"] if own else []), CUSTOM, OTEL_ATTRIBUTES, *others)


BY_STAMP = "or run `whence stamp` when the image is built"

TABLE: tuple[Row, ...] = (
    Row(
        semconv.ENVIRONMENT,
        "Where it runs, in your words: `production`, `staging`, `prod-eu`.",
        _asked(
            "WHENCE_ENVIRONMENT",
            "env DEPLOYMENT_ENVIRONMENT",
            "env APP_ENVIRONMENT",
            "env APP_ENV",
            "env ENVIRONMENT",
            STAMP,
            PLATFORM,
            LABELS,
        ),
        "set WHENCE_ENVIRONMENT or APP_ENVIRONMENT, or call whence.configure(environment=…)",
    ),
    Row(
        semconv.APP_VERSION,
        "The version of the application.",
        _asked(
            "WHENCE_APP_VERSION",
            "env APP_VERSION",
            STAMP,
            PLATFORM,
            LABELS,
            DISTRIBUTION,
            PYPROJECT,
            TAG,
        ),
        f"set WHENCE_APP_VERSION or APP_VERSION, tag a commit, {BY_STAMP}",
    ),
    Row(
        semconv.GIT_COMMIT,
        "The commit of the code, in full where it is known in full.",
        _asked(
            "WHENCE_COMMIT",
            STAMP,
            "env GIT_COMMIT",
            "env GIT_SHA",
            "env COMMIT_SHA",
            "env SOURCE_COMMIT",
            "env SOURCE_VERSION",
            RUN_CONTEXT,
            DIRECT_URL,
            DOT_GIT,
            LABELS,
            PLATFORM,
        ),
        "run the program from its own git repository, install it editable or from its repository's "
        f"address, set WHENCE_COMMIT or GIT_COMMIT, {BY_STAMP}",
    ),
    Row(
        semconv.GIT_BRANCH,
        "The branch; of a pull request the one it comes from. A tag is no branch.",
        _asked(
            "WHENCE_BRANCH",
            STAMP,
            "env GIT_BRANCH",
            RUN_CONTEXT,
            DIRECT_URL,
            DOT_GIT,
            LABELS,
            PLATFORM,
        ),
        f"check a branch out, set WHENCE_BRANCH or GIT_BRANCH, {BY_STAMP}",
    ),
    Row(
        semconv.GIT_REPO_URL,
        "The address of the repository, without user, password, query and fragment.",
        _asked(
            "WHENCE_REPOSITORY_URL",
            STAMP,
            "env GIT_URL",
            RUN_CONTEXT,
            DIRECT_URL,
            DOT_GIT,
            LABELS,
            PLATFORM,
        ),
        f"add a remote (git remote add origin …), set WHENCE_REPOSITORY_URL or GIT_URL, {BY_STAMP}",
    ),
    Row(
        semconv.GIT_DIRTY,
        "`true` where the files differ from the commit (new ones count), else `false`.",
        _asked("", STAMP, DOT_GIT),
        f"start the program from a git work tree with the git program on PATH, {BY_STAMP}",
    ),
    Row(
        semconv.GIT_DIRTY_HASH,
        "What the files differ by, as a hash: equal edits have equal hashes. Only where dirty.",
        _asked("", STAMP, DOT_GIT),
    ),
    Row(
        semconv.DEPLOYMENT_ID,
        "Which deployment (release, revision) of the version this is.",
        _asked("WHENCE_DEPLOYMENT_ID", "env DEPLOYMENT_ID", STAMP, PLATFORM, LABELS),
        "set WHENCE_DEPLOYMENT_ID or DEPLOYMENT_ID",
    ),
    Row(
        semconv.REGION,
        "The region of the cloud or data centre.",
        _asked(
            "WHENCE_REGION",
            "env REGION",
            STAMP,
            PLATFORM,
            "env AWS_REGION",
            "env AWS_DEFAULT_REGION",
            "env GOOGLE_CLOUD_REGION",
        ),
        "set WHENCE_REGION or REGION",
    ),
    Row(
        semconv.SOURCE_NAME,
        "What was started: a script, module, console script, notebook or served application.",
        _asked("WHENCE_SOURCE_NAME", RUN_CONTEXT, LATE_PROGRAM, PROGRAM),
        "set WHENCE_SOURCE_NAME",
    ),
    Row(
        semconv.SOURCE_TYPE,
        "`NOTEBOOK`, `JOB` (no person in front of it), `LOCAL` or `UNKNOWN`.",
        _asked("WHENCE_SOURCE_TYPE", RUN_CONTEXT, LATE_PROGRAM, PROGRAM),
        "set WHENCE_SOURCE_TYPE",
    ),
    Row(
        semconv.USER,
        "Whose process it is.",
        _asked("", "env MLFLOW_TRACKING_USERNAME", RUN_CONTEXT, SYSTEM),
        "set WHENCE_METADATA_MLFLOW__USER",
    ),
    Row(
        semconv.SOURCE_RUN,
        "The MLflow run that it belongs to.",
        _asked("", "env MLFLOW_RUN_ID"),
        "set MLFLOW_RUN_ID",
    ),
    Row(
        "service.name",
        "The name of the service.",
        (DECLARED, CUSTOM, "env OTEL_SERVICE_NAME", OTEL_ATTRIBUTES, STAMP, PLATFORM, LABELS),
    ),
)

ROWS: dict[str, Row] = {row.key: row for row in TABLE}

# Who is asked for a key without a row: what you name yourself, and the facts of host and process.
OTHER_SOURCES: tuple[str, ...] = (
    DECLARED,
    CUSTOM,
    OTEL_ATTRIBUTES,
    STAMP,
    PLATFORM,
    LABELS,
    HOST,
)

# What describes one state of the code, and is taken together (`whence.sdk.context.identity`).
# `ALSO_AT` is no metadata: another commit that the source speaks of, such as the head of a pull
# request beside the merge that is built.
ALSO_AT = "also at"
CODE_KEYS = (
    semconv.GIT_COMMIT,
    semconv.GIT_BRANCH,
    semconv.GIT_REPO_URL,
    semconv.GIT_DIRTY,
    semconv.GIT_DIRTY_HASH,
    ALSO_AT,
)


def sources_of(key: str) -> tuple[str, ...]:
    """Return who is asked for a key, the strongest first."""
    row = ROWS.get(key)
    return row.sources if row else OTHER_SOURCES


def resource_name(key: str) -> str:
    """Return the resource attribute that carries a metadata key: OpenTelemetry's, or ours."""
    if key in semconv.RESOURCE_ONLY:
        return key
    names = semconv.METADATA_SOURCES.get(key)
    return names[0] if names else semconv.METADATA_PREFIX + key
