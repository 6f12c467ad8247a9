"""The answer's form: a program, its kind by MLflow's words, and the user's login."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 - msgspec reads the annotations

import msgspec

NOTEBOOK, LOCAL, JOB, UNKNOWN = "NOTEBOOK", "LOCAL", "JOB", "UNKNOWN"

# Set by schedulers and orchestrators, which run programs without a person in front of them. CI
# systems and function platforms are rows of `whence.sdk.context.platform_table`.
JOB_VARIABLES = (
    "CI",
    "AWS_BATCH_JOB_ID",
    "AZ_BATCH_TASK_ID",
    "AZUREML_RUN_ID",
    "AIRFLOW_CTX_DAG_ID",
    "DAGSTER_RUN_JOB_NAME",
    "PREFECT__FLOW_RUN_ID",
    "JOB_COMPLETION_INDEX",  # an indexed Job of Kubernetes
    "SLURM_JOB_ID",
    "PBS_JOBID",
    "LSB_JOBID",
)
FALSE_WORDS = frozenset({"", "0", "false", "no", "off"})
INDEXES = frozenset({"JOB_COMPLETION_INDEX"})  # counted from 0


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
    return JOB if any(map(_is_set, JOB_VARIABLES)) else LOCAL


def _is_set(name: str) -> bool:
    value = os.environ.get(name, "").strip().lower()
    return value != "" if name in INDEXES else value not in FALSE_WORDS


def find_login() -> str | None:
    """Return the operating system's user name, or None where the process has none."""
    import getpass

    try:
        return getpass.getuser() or None
    except (KeyError, OSError, ImportError):  # a user id without an entry, as in containers
        return None
