"""The answer's form: a program, its kind by MLflow's words, and the user's login."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 - msgspec reads the annotations

import msgspec

NOTEBOOK, LOCAL, JOB, UNKNOWN = "NOTEBOOK", "LOCAL", "JOB", "UNKNOWN"

# Set by systems that run programs without a person in front of them.
JOB_VARIABLES = (
    "CI",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "JENKINS_URL",
    "BUILDKITE",
    "CIRCLECI",
    "TF_BUILD",
    "BITBUCKET_BUILD_NUMBER",
    "TEAMCITY_VERSION",
    "CODEBUILD_BUILD_ID",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_BATCH_JOB_ID",
    "AZ_BATCH_TASK_ID",
    "AZUREML_RUN_ID",
    "CLOUD_RUN_JOB",
    "FUNCTIONS_WORKER_RUNTIME",
    "AIRFLOW_CTX_DAG_ID",
    "DAGSTER_RUN_JOB_NAME",
    "PREFECT__FLOW_RUN_ID",
    "JOB_COMPLETION_INDEX",  # an indexed Job of Kubernetes
    "SLURM_JOB_ID",
    "PBS_JOBID",
    "LSB_JOBID",
)
# A variable that also a local run sets means a job only beside the other one.
JOB_VARIABLE_PAIRS = (("FUNCTION_TARGET", "K_SERVICE"),)  # Cloud Functions
FALSE_WORDS = frozenset({"", "0", "false", "no", "off"})
# Slurm numbers its tasks, Kubernetes its pods, from 0.
NUMBERS = frozenset({"JOB_COMPLETION_INDEX"})


class Program(msgspec.Struct, frozen=True):
    """The program of this process.

    `name` is None where it is unknown. `file` is the file (or folder) in which the program's own
    code lies, None if that is unknown or an installed package: its repository is the program's.
    `module` is the dotted module of the program (`python -m`, an application, a console script's
    function), loaded or not; `script` is the name of a console script.
    """

    name: str | None
    kind: str
    source: str  # how the name was found
    file: Path | None = None
    name_is_path: bool = False
    module: str | None = None
    script: str | None = None


def find_kind() -> str:
    """Return JOB where a variable says that nobody sits in front of it, else LOCAL."""
    if any(_is_set(name) for name in JOB_VARIABLES):
        return JOB
    if any(_is_set(one) and _is_set(other) for one, other in JOB_VARIABLE_PAIRS):
        return JOB
    return LOCAL


def _is_set(name: str) -> bool:
    value = os.environ.get(name, "").strip().lower()
    return value != "" if name in NUMBERS else value not in FALSE_WORDS


def find_login() -> str | None:
    """Return the operating system's user name, or None where the process has none."""
    import getpass

    try:
        return getpass.getuser() or None
    except (KeyError, OSError, ImportError):  # a user id without an entry, as in containers
        return None
