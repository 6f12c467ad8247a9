"""The table that `search_traces` returns: MLflow's twelve columns, one row a trace."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from whence.entities.trace import DATAFRAME_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from whence.entities.trace import Trace


def has_pandas() -> bool:
    """Tell whether pandas is installed, without loading it."""
    return importlib.util.find_spec("pandas") is not None


def build_dataframe(traces: Iterable[Trace]) -> pd.DataFrame:
    """Return the traces in their order. Without any: no rows, the same columns, dtype object."""
    import pandas as pd

    rows = [trace.to_pandas_dataframe_row() for trace in traces]
    if not rows:
        return pd.DataFrame(columns=list(DATAFRAME_COLUMNS), dtype=object)
    return pd.DataFrame(rows, columns=list(DATAFRAME_COLUMNS))
