"""`steady.py NAME` records a few traces, waits for a line on its standard input, records the others.

Prints `begun` where it waits, and the ids of all traces in the end.
"""

from __future__ import annotations

import json
import sys
import time

import mlflow

PAUSE_S = 0.1
BEGUN, COUNT = 3, 25


@mlflow.trace
def _step(number):
    return number


@mlflow.trace
def answer(number):
    mlflow.update_current_trace(metadata={"n": str(number)}, tags={"by": sys.argv[1]})
    return [_step(one) for one in range(6)]


def record():
    ids = []
    for number in range(COUNT):
        if number == BEGUN:
            print("begun", flush=True)
            sys.stdin.readline()
        answer(number)
        ids.append(mlflow.get_last_active_trace_id())
        time.sleep(PAUSE_S)
    mlflow.flush_trace_async_logging()
    return ids


mlflow.set_experiment("steady")
print(json.dumps(record()), flush=True)
