"""Bringing a store's schema up to date: numbered SQL files, each applied once, in order.

`schema_migrations` lists those applied. A migration's statements run one by one and each must be
safe to run again (`IF NOT EXISTS`), because a crash may leave some of them done and the migration
unlisted; the next start repeats it whole. A step that another server has applied meanwhile is left
out. A step that puts a table in another's place or drops a column (3, 5, 7, 12) needs the store for
itself: what another server writes into the old table meanwhile can be lost. There, one server is
upgraded alone, while no other runs.

Limits: a file's statements end with `;` at the end of a line, and comments are whole lines. There
is no way back: an older program refuses a newer schema.
"""

from __future__ import annotations

import hashlib
import re
import time
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from whence.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.store.connection import Store

_FILE_NAME = re.compile(r"(\d{4})_(\w+)\.sql")

_CREATE_TABLE = """\
CREATE TABLE IF NOT EXISTS schema_migrations
(
    number     UInt32,
    name       String,
    checksum   String,
    applied_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY number
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
"""

_INSERT = """\
INSERT INTO schema_migrations (number, name, checksum, applied_at)
SELECT
    {number:UInt32},
    {name:String},
    {checksum:String},
    fromUnixTimestamp64Milli({applied_at_ms:Int64}, 'UTC')
"""

_SELECT = """\
SELECT number, name, checksum
FROM schema_migrations FINAL
ORDER BY number
"""


class Migration(msgspec.Struct, frozen=True):
    """One step of the schema, from `schema/<number>_<name>.sql`."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """The SHA-256 of the file, to notice a step that was edited after it was applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations() -> list[Migration]:
    """Return the steps that this program knows, in order."""
    found = []
    for entry in resources.files("whence.store").joinpath("schema").iterdir():
        match = _FILE_NAME.fullmatch(entry.name)
        if match:
            found.append(Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8")))
    return sorted(found, key=lambda migration: migration.number)


def split_statements(sql: str) -> list[str]:
    """Return the statements of a schema file without comments and semicolons."""
    code = "\n".join(line for line in sql.splitlines() if not line.lstrip().startswith("--"))
    return [
        part.strip() for part in re.split(r";[ \t]*$", code, flags=re.MULTILINE) if part.strip()
    ]


def migrate(store: Store, migrations: Sequence[Migration] | None = None) -> list[int]:
    """Apply what is missing; return the numbers applied.

    Raises StoreError when the store is newer than this program, or when a step was edited after
    it had been applied.
    """
    known = read_migrations() if migrations is None else list(migrations)
    store.command(_CREATE_TABLE)
    _check_applied(store.url, known, _read_applied(store))
    done = []
    for migration in known:
        if migration.number in _read_applied(store):
            continue
        for statement in split_statements(migration.sql):
            store.command(statement)
        store.command(
            _INSERT,
            {
                "number": migration.number,
                "name": migration.name,
                "checksum": migration.checksum,
                "applied_at_ms": time.time_ns() // 1_000_000,
            },
        )
        done.append(migration.number)
    return done


def _read_applied(store: Store) -> dict[int, tuple[str, str]]:
    return {number: (name, checksum) for number, name, checksum in store.query(_SELECT).rows}


def _check_applied(
    url: str, known: Sequence[Migration], applied: dict[int, tuple[str, str]]
) -> None:
    newest = max((migration.number for migration in known), default=0)
    if applied and max(applied) > newest:
        name, _ = applied[max(applied)]
        raise StoreError(
            f"the store {url} was written by a newer version of Whence (its schema is at step "
            f"{max(applied)}, {name}; this one knows {newest}); upgrade Whence to open it"
        )
    for migration in known:
        if migration.number in applied and applied[migration.number][1] != migration.checksum:
            raise StoreError(
                f"step {migration.number} ({migration.name}) of the schema differs from the one "
                f"applied to {url}; put a change into a new step"
            )
