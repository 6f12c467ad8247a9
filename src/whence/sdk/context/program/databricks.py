"""The notebook or the job that Databricks runs: from objects that the runtime has already made.

Newer runtimes keep a context in memory; else `dbutils`, if the notebook has it, asks the driver's
JVM. That is a call to another process, so this runs in a background thread. Nothing is imported.
The names are MLflow's: a notebook's path in the workspace, `jobs/<id>/run/<id>` for a job.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from whence.sdk.context.program.kinds import JOB, NOTEBOOK, Program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REPL_MODULE = "dbruntime.databricks_repl_context"
MEMORY, DBUTILS = "the Databricks context", "dbutils"


def find_databricks(names: Mapping[str, Any]) -> Program | None:
    """Return what Databricks runs in this process, None elsewhere. `names` are the user's."""
    for source, read in ((MEMORY, _from_memory()), (DBUTILS, _from_dbutils(names))):
        if read is None:
            continue
        path, job, run = read("notebookPath"), read("jobId"), read("idInJob")
        if path:
            return Program(path, NOTEBOOK, source)
        if job and run:
            return Program(f"jobs/{job}/run/{run}", JOB, source)
    return None


def _from_memory() -> Callable[[str], str | None] | None:
    get_context = getattr(sys.modules.get(REPL_MODULE), "get_context", None)
    if not callable(get_context):
        return None
    try:
        context = get_context()
    except Exception:  # noqa: BLE001 - another runtime's business
        return None
    return lambda name: _text(getattr(context, name, None))


def _from_dbutils(names: Mapping[str, Any]) -> Callable[[str], str | None] | None:
    dbutils = names.get("dbutils")
    if dbutils is None:
        return None
    try:
        context = dbutils.notebook.entry_point.getDbutils().notebook().getContext()
    except Exception:  # noqa: BLE001 - no driver to ask
        return None

    def read(name: str) -> str | None:
        try:
            return _text(getattr(context, name)().get())
        except Exception:  # noqa: BLE001 - the option is empty, or unknown to this runtime
            return None

    return read


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") else None
