"""What program this process runs: its name, its kind, where its code lies, and whose it is.

`find_program()` is quick (it reads memory, `/proc` and at most one small configuration file) and
opens no connection. `find_late()` may ask a Jupyter server on this machine or a Databricks driver:
for a background thread, with a time limit. In the order in which they are asked:

`commands` reads what was typed, `launchers` knows what uvicorn's or Celery's words mean, `loaded`
looks at what a server holds in memory, `handlers` at the variables of functions and orchestrators,
`notebook`, `jupyter` and `databricks` at notebooks.
"""

from whence.sdk.context.program.finder import find_late, find_program
from whence.sdk.context.program.kinds import JOB, LOCAL, NOTEBOOK, UNKNOWN, Program, find_login
from whence.sdk.context.program.notebook import NOTEBOOK_VARIABLES

__all__ = [
    "JOB",
    "LOCAL",
    "NOTEBOOK",
    "NOTEBOOK_VARIABLES",
    "UNKNOWN",
    "Program",
    "find_late",
    "find_login",
    "find_program",
]
