"""`run.py NAME ARGUMENT...` runs every function of NAME.py, in the order of the file.

Prints `{function: what it returned}` as JSON; an exception as its class, code and text.
"""

from __future__ import annotations

import importlib
import json
import sys


def describe(error: Exception) -> dict[str, object]:
    return {
        "raised": type(error).__name__,
        "code": getattr(error, "error_code", None),
        "message": str(error),
    }


def main(name: str) -> None:
    program = importlib.import_module(name)
    found = {}
    for label, value in list(vars(program).items()):
        own = callable(value) and getattr(value, "__module__", "") == name
        if own and label.islower() and not label.startswith("_"):
            try:
                found[label] = value()
            except Exception as error:
                found[label] = describe(error)
    print()
    print(json.dumps(found))


main(sys.argv[1])
