"""Whence's exceptions under the names that MLflow gives its own; `whence.errors` has the tree.

`MlflowException` catches all of them, and `error_code` and `get_http_status_code()` say the same.
"""

from __future__ import annotations

from whence.errors import WhenceError

__all__ = ["MlflowException", "RestException"]

MlflowException = WhenceError
RestException = WhenceError
