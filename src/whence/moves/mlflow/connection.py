"""A connection that reads MLflow's database: SQLite's own module, SQLAlchemy for all others.

Statements are plain SQL with `:name` parameters, which both understand, and hold nothing that is
particular to one engine. The database is opened for reading only where the engine can do that.
"""

from __future__ import annotations

import contextlib
import sqlite3
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, unquote

from whence.errors import InvalidInputError, WhenceError
from whence.moves.address import hide_password

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import URL

SQLITE = "sqlite:///"
NO_DATABASE = "file is not a database"  # Python 3.10 has no codes of SQLite's errors
DRIVERS = {"postgresql": "psycopg", "postgres": "psycopg", "mysql": "pymysql"}
EXTRA = 'pip install "whence[import]"'


class Connection(Protocol):
    """What the reader asks of a database."""

    def rows(self, sql: str, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield rows by column name, as they are fetched."""

    def columns(self, table: str) -> set[str]:
        """Return a table's columns; of a table that isn't there, none."""

    def close(self) -> None:
        """Close it."""


class Sqlite:
    """A SQLite file, opened for reading."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise InvalidInputError(f"there is no database {path}")
        # Not `immutable`: MLflow may be running and writing.
        address = f"file:{quote(str(path.resolve()))}?mode=ro"
        try:
            self._connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        except sqlite3.Error as error:
            raise WhenceError(f"the database {path} can't be opened: {error}") from None
        self._connection.text_factory = _decode
        self._path = path

    def rows(self, sql: str, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield rows by column name."""
        try:
            with contextlib.closing(self._connection.execute(sql, dict(values))) as cursor:
                names = [one[0] for one in cursor.description]
                for row in cursor:
                    yield dict(zip(names, row, strict=True))
        except sqlite3.Error as error:
            if NO_DATABASE in str(error):
                raise InvalidInputError(f"{self._path} is no SQLite database") from None
            raise WhenceError(f"the database {self._path} can't be read: {error}") from None

    def columns(self, table: str) -> set[str]:
        """Return a table's columns."""
        return {
            row["name"] for row in self.rows("SELECT name FROM pragma_table_info(:t)", {"t": table})
        }

    def close(self) -> None:
        """Close it."""
        self._connection.close()


class SqlAlchemy:
    """Any database that SQLAlchemy has a driver for."""

    def __init__(self, address: str) -> None:
        try:
            import sqlalchemy
        except ImportError:
            raise InvalidInputError(
                f"reading {address.partition(':')[0]} databases needs SQLAlchemy and the "
                f"database's driver: {EXTRA}"
            ) from None
        self._sqlalchemy = sqlalchemy
        shown = hide_password(address)
        try:
            url = sqlalchemy.make_url(_with_driver(address))
            self._secrets = _list_secrets(url)
            self._engine = sqlalchemy.create_engine(url)
            self._connection = self._engine.connect().execution_options(
                isolation_level="AUTOCOMMIT"
            )
        except ImportError as error:
            raise InvalidInputError(
                f"the driver of the database {shown} is missing ({error}): {EXTRA}, or install it"
            ) from None
        except (ValueError, sqlalchemy.exc.ArgumentError):  # it may quote the password
            raise InvalidInputError(
                f"{shown!r} is no address of a database: postgresql://user:password@host:port/name "
                "(of a password, write '/', '?', '#' and '@' as %2F, %3F, %23 and %40)"
            ) from None
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise WhenceError(
                f"the database {shown} can't be opened: {self._describe(error)}"
            ) from None

    def rows(self, sql: str, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield rows by column name."""
        try:
            with self._connection.execute(self._sqlalchemy.text(sql), dict(values)) as found:
                for row in found.mappings():
                    yield dict(row)
        except self._sqlalchemy.exc.SQLAlchemyError as error:
            raise WhenceError(f"the database can't be read: {self._describe(error)}") from None

    def columns(self, table: str) -> set[str]:
        """Return a table's columns."""
        looking = self._sqlalchemy.inspect(self._engine)
        if not looking.has_table(table):
            return set()
        return {one["name"] for one in looking.get_columns(table)}

    def close(self) -> None:
        """Close it."""
        self._connection.close()
        self._engine.dispose()

    def _describe(self, error: Exception) -> str:
        """Return an error's first line, without the password."""
        text = str(error).partition("\n")[0]
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def connect(address: str) -> Connection:
    """Open a database by its URL (`sqlite:///mlflow.db`, `postgresql://…`, `mysql+pymysql://…`)."""
    if address.startswith(SQLITE):
        return Sqlite(Path(unquote(address[len(SQLITE) :].partition("?")[0])))
    return SqlAlchemy(address)


def _with_driver(address: str) -> str:
    """Return the address with the driver of the extra, where it names none and that is there."""
    scheme, mark, rest = address.partition("://")
    for name, driver in DRIVERS.items():
        if scheme == name and find_spec(driver):
            return f"{'postgresql' if name == 'postgres' else name}+{driver}{mark}{rest}"
    return address


def _decode(raw: bytes) -> str:
    """Read text that may not be UTF-8: one broken row must not stop the others."""
    return raw.decode("utf-8", "replace")


def _list_secrets(url: URL) -> set[str]:
    """Return what an error may quote of an address and nobody should read."""
    values = [url.password, *url.query.values()]
    texts = {str(value) for value in values if value}
    return texts | {quote(text, safe="") for text in texts}
