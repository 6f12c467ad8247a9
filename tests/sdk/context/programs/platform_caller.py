"""What a function platform's own runtime does: calls the function that it was told of."""

import importlib
import os
import sys

sys.path.insert(0, os.environ["CODE"])
module, _, function = os.environ["CALLS"].rpartition(".")
getattr(importlib.import_module(module), function)()
