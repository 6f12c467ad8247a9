"""One ingestor per store and session: a store has one writer."""

from __future__ import annotations

import pytest

from whence.ingest.ingestor import Ingestor


@pytest.fixture(scope="session")
def chdb_ingestor(chdb_store):
    """The writer of the embedded store."""
    with Ingestor(chdb_store) as opened:
        yield opened


@pytest.fixture
def own_ingestor(chdb_store):
    """Make further ingestors on the embedded store, as after a restart; closed at the end."""
    opened = []

    def make(**options):
        opened.append(Ingestor(chdb_store, **options))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture(scope="session")
def ingestor(store):
    """A writer, by both roads."""
    with Ingestor(store) as opened:
        yield opened
