"""Every import that the late layers of the context need, done at once.

A process that forks while a thread is within an import leaves the child with a module lock that
nobody will ever release. The late layers run for seconds, too long for a fork to wait, so they
must import nothing themselves: the exporter calls `load` before, while forks wait.
"""

from __future__ import annotations

import sys
from importlib import import_module

from whence.sdk import settings

ALWAYS = (
    "hashlib",
    "whence.sdk.context.manifest",
    "whence.sdk.context.work_tree.nearest_tag",
    "whence.sdk.context.work_tree.state",
    "whence.sdk.context.program.databricks",
)
IN_A_NOTEBOOK = (
    "http.client",
    "whence.sdk.context.program.jupyter",
    "whence.sdk.context.program.notebook",
)
FOR_THE_DIFF = ("whence.sdk.context.work_tree.diff", "whence.sdk.context.work_tree.secrets")


def load() -> None:
    """Import what `resolve_late` will use in this process."""
    names = list(ALWAYS)
    if "IPython" in sys.modules:
        names += IN_A_NOTEBOOK
    if settings.current.store_diff:
        names += FOR_THE_DIFF
    for name in names:
        import_module(name)
    if settings.current.store_diff:
        from whence.sdk.context.work_tree.secrets import find_masker

        find_masker()  # loads the plug-ins of detect-secrets
