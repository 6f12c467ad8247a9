"""Traces that move from one store to another: old ones in, all of them out again.

`trace` says what a trace under way is. A reader per source (`mlflow.database`, `mlflow.rest`,
`langfuse`, `phoenix`) yields them; `sender` posts them to a Whence server, `mlflow.writer` to
MLflow's. `checkpoint` remembers how far a run came, `report` what could not be moved, and why:
nothing is left out in silence.
"""
