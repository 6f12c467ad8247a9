"""The module under test, as `mlflow`: MLflow's or ours, named by the first argument."""

from __future__ import annotations

import importlib
import sys

mlflow = importlib.import_module(sys.argv[1])
entities = importlib.import_module(f"{sys.argv[1]}.entities")
