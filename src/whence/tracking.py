"""`MlflowClient` under the path that older MLflow code imports it from."""

from __future__ import annotations

from whence.client import MlflowClient

__all__ = ["MlflowClient"]
