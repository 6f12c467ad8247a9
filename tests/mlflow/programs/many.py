"""Many traces at once, sent in the background, as a program in production does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import mlflow

COUNT = 40


@mlflow.trace
def _step(number):
    return number


@mlflow.trace
def _answer(number):
    mlflow.update_current_trace(metadata={"n": str(number)}, tags={"t": str(number)})
    return [_step(one) for one in range(8)]


def sent_in_the_background():
    mlflow.set_experiment("many")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(_answer, range(COUNT)))
    mlflow.flush_trace_async_logging()
    traces = mlflow.search_traces(return_type="list", max_results=COUNT + 1)
    return {
        "traces": len(traces),
        "spans": sorted({len(trace.data.spans) for trace in traces}),
        "states": sorted({str(trace.info.state) for trace in traces}),
        "numbers": sorted(int(trace.info.trace_metadata["n"]) for trace in traces),
        "same tags": all(
            trace.info.tags["t"] == trace.info.trace_metadata["n"] for trace in traces
        ),
        "ids": [trace.info.trace_id for trace in traces],
    }
