"""Every exception that Whence raises to a caller.

::

    WhenceError                    code, message, http_status
    ├── InvalidInputError          INVALID_PARAMETER_VALUE   400  an argument or a request is wrong
    │   ├── FilterError            with the column in the filter text
    │   ├── MalformedPayloadError  an OTLP body that can't be read, with the position
    │   └── AlreadyExistsError     RESOURCE_ALREADY_EXISTS   400
    ├── MissingPackageError        FEATURE_DISABLED          501  install what it names
    ├── NotFoundError              RESOURCE_DOES_NOT_EXIST   404
    ├── ConflictError              RESOURCE_CONFLICT         409  it contradicts immutable metadata
    ├── PayloadTooLargeError       RESOURCE_EXHAUSTED        413
    ├── UnsupportedMediaError      INVALID_PARAMETER_VALUE   415
    ├── UnauthenticatedError       UNAUTHENTICATED           401
    ├── NotOfferedError            NOT_IMPLEMENTED           501  Whence does no such thing
    ├── UnavailableError           TEMPORARILY_UNAVAILABLE   503  try again, after `retry_after_s`
    ├── QueryTimeoutError          DEADLINE_EXCEEDED         504  a query took longer than it may
    └── StoreError                 INTERNAL_ERROR            500  the engine refused
        └── StoreInUseError        INVALID_STATE             500  the directory is taken

The codes are MLflow's, because client code branches on them. A message says what is wrong,
where, and how to mend it.
"""

from __future__ import annotations


class WhenceError(Exception):
    """The root of the tree. `error_code` is MLflow's word, `http_status` the answer's status."""

    error_code = "INTERNAL_ERROR"
    http_status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def get_http_status_code(self) -> int:
        """Return the HTTP status, under the name that MLflow's exceptions give it."""
        return self.http_status


class InvalidInputError(WhenceError):
    """An argument or a request is wrong; sending it again won't help."""

    error_code = "INVALID_PARAMETER_VALUE"
    http_status = 400


class FilterError(InvalidInputError):
    """A filter string can't be read. `column` is 1-based, or None where no place can be named."""

    def __init__(self, message: str, *, column: int | None = None) -> None:
        super().__init__(message)
        self.column = column


class MalformedPayloadError(InvalidInputError):
    """An OTLP body can't be read; the message names the position."""


class AlreadyExistsError(InvalidInputError):
    """There is one of this name already."""

    error_code = "RESOURCE_ALREADY_EXISTS"


class MissingPackageError(WhenceError, ImportError):
    """A package is not installed; the message names it."""

    error_code = "FEATURE_DISABLED"
    http_status = 501


class NotFoundError(WhenceError):
    """The trace, tag, assessment or experiment does not exist."""

    error_code = "RESOURCE_DOES_NOT_EXIST"
    http_status = 404


class ConflictError(WhenceError):
    """A write contradicts immutable metadata."""

    error_code = "RESOURCE_CONFLICT"
    http_status = 409


class PayloadTooLargeError(WhenceError):
    """A body is larger than the server takes; split it."""

    error_code = "RESOURCE_EXHAUSTED"
    http_status = 413


class UnsupportedMediaError(WhenceError):
    """The content type or the content encoding is not one that the server reads."""

    error_code = "INVALID_PARAMETER_VALUE"
    http_status = 415


class UnauthenticatedError(WhenceError):
    """The API key is missing or wrong."""

    error_code = "UNAUTHENTICATED"
    http_status = 401


class NotOfferedError(WhenceError):
    """The request is for something that Whence does not do, such as MLflow's model registry."""

    error_code = "NOT_IMPLEMENTED"
    http_status = 501


class UnavailableError(WhenceError):
    """The server can't take this now; try again after `retry_after_s` seconds."""

    error_code = "TEMPORARILY_UNAVAILABLE"
    http_status = 503

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QueryTimeoutError(WhenceError):
    """A query took longer than queries may; ask for less, or allow more time."""

    error_code = "DEADLINE_EXCEEDED"
    http_status = 504


class StoreError(WhenceError):
    """The engine refused a statement; `code` and `name` are its own, None where it gave none."""

    def __init__(self, message: str, *, code: int | None = None, name: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.name = name


class StoreInUseError(StoreError):
    """Another process holds the store's directory."""

    error_code = "INVALID_STATE"
