"""The server's log: one JSON object a line on stderr.

Errors carry the request id that their answer carries. Access lines are written only with
`WHENCE_ACCESS_LOG`.
"""

from __future__ import annotations

import logging
import sys
from datetime import datetime, timezone

import msgspec

FIELDS = "whence_fields"
logger = logging.getLogger("whence.server")
access_logger = logging.getLogger("whence.server.access")


class JsonFormatter(logging.Formatter):
    """One record, one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a JSON object."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(getattr(record, FIELDS, {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def configure_log(level: str, *, access: bool) -> None:
    """Send all log lines of this process to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    access_logger.setLevel(logging.INFO if access else logging.CRITICAL)
