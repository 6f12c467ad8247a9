"""docs/opentelemetry.md says what `semconv` says."""

from __future__ import annotations

from ingest.opentelemetry_tables import PAGE, write_tables


def test_the_tables_of_the_page_are_those_of_the_code():
    text = PAGE.read_text(encoding="utf-8")
    assert write_tables(text) == text, "run tests/ingest/opentelemetry_tables.py"
