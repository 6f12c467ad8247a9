"""Functions and tasks that a platform calls: their names stand in its variables.

They name the program only where its command is the platform's own (`awslambdaric`, `prefect`):
a script that such a task starts keeps its own name.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from whence.sdk.context.program.kinds import JOB, Program, find_kind
from whence.sdk.context.program.modules import find_module, is_file, make_absolute, own_file

FUNCTION = re.compile(r"^[\w./-]+\.[A-Za-z_]\w*$")  # module.function, folders with / or .
NOT_PYTHON = (".sh", ".py")  # Lambda's web adapter starts a shell script


class Handler(msgspec.Struct, frozen=True):
    """Variables that name a handler: the first set one of `names`, joined to `and_then`."""

    condition: str  # the variable that only this platform sets
    names: tuple[str, ...]
    and_then: str | None = None
    root: str | None = None  # the variable that holds the folder of the code
    form: re.Pattern[str] | None = None
    kind: str | None = JOB


HANDLERS = (
    Handler("AIRFLOW_CTX_DAG_ID", ("AIRFLOW_CTX_DAG_ID",), and_then="AIRFLOW_CTX_TASK_ID"),
    Handler("PREFECT__FLOW_RUN_ID", ("PREFECT__FLOW_ENTRYPOINT",)),
    Handler("DAGSTER_RUN_JOB_NAME", ("DAGSTER_RUN_JOB_NAME",)),
    Handler(
        "AWS_LAMBDA_FUNCTION_NAME",
        # Wrappers of tracing vendors put themselves first and keep the handler in a variable.
        ("DD_LAMBDA_HANDLER", "NEW_RELIC_LAMBDA_HANDLER", "ORIG_HANDLER", "_HANDLER"),
        root="LAMBDA_TASK_ROOT",
        form=FUNCTION,
    ),
    Handler("FUNCTION_TARGET", ("FUNCTION_TARGET",), kind=None),
    Handler("FUNCTIONS_WORKER_RUNTIME", ("WEBSITE_SITE_NAME",), root="AzureWebJobsScriptRoot"),
)
FUNCTION_SOURCE = "FUNCTION_SOURCE"
DEFAULT_FILES = ("function_app.py", "main.py")  # Azure Functions, Cloud Functions


def find_handler() -> Program | None:
    """Return the function or task that a platform runs in this process, or None."""
    for row in HANDLERS:
        if not os.environ.get(row.condition):
            continue
        for variable in row.names:
            name = os.environ.get(variable, "").strip()
            if not name or (row.form and (not row.form.match(name) or name.endswith(NOT_PYTHON))):
                continue
            return _describe(row, variable, name)
    return None


def _describe(row: Handler, variable: str, name: str) -> Program:
    root = Path(os.environ.get(row.root or "", "") or ".")
    module = file = None
    if row.form is not None:  # app.handler, src/app.handler
        module = name.rpartition(".")[0].replace("/", ".").strip(".")
        file = find_module(module, [root])
    elif ":" in name:  # flows/daily.py:run
        file = make_absolute(name.rpartition(":")[0])
    else:
        files = (os.environ.get(FUNCTION_SOURCE, ""), *DEFAULT_FILES)
        paths = (root / one for one in files if one)
        file = next((make_absolute(path) for path in paths if is_file(path)), None)
    more = os.environ.get(row.and_then or "", "")
    full = f"{name}.{more}" if more else name
    return Program(full, row.kind or find_kind(), f"env {variable}", own_file(file), module=module)
