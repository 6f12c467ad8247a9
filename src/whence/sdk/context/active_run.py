"""The MLflow run around the program: from the `mlflow` module, if the program has loaded it.

The module is never imported, and only its list of open runs in memory is read. A run may begin and
end at any time, so this is asked for each trace, and costs microseconds.
"""

from __future__ import annotations

import sys
from typing import Any

FLUENT = "mlflow.tracking.fluent"
SOURCE = "the open MLflow run"


def find_active_run() -> str | None:
    """Return the id of the latest open run of any thread, as MLflow does for its traces."""
    fluent: Any = sys.modules.get(FLUENT)
    if fluent is None:
        return None
    try:
        stack = fluent._active_run_stack  # noqa: SLF001 - MLflow offers it for one thread only
        threads = stack.get_all_thread_values() if hasattr(stack, "get_all_thread_values") else {}
        runs = [run for values in threads.values() for run in values or ()]
        if not runs:
            return None
        latest = max(runs, key=lambda run: run.info.start_time or 0)
        return str(latest.info.run_id) or None
    except Exception:  # noqa: BLE001 - another version of MLflow: nothing is known
        return None
