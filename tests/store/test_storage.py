"""How rows lie on the disk: what is packed how, what a read unpacks, and what nobody writes."""

from __future__ import annotations

import json
import subprocess
import sys

import msgspec
import pytest

from whence.ingest.jsontext import read_object
from whence.store import migrations
from whence.store.connection import open_store
from whence.store.migrations import read_migrations, split_statements
from whence.store.rows import SpanRow
from whence.store.spans import read_spans

KNOWN = read_migrations()
STORAGE = next(step for step in KNOWN if step.name == "storage")
RESOURCES = next(step for step in KNOWN if step.name == "resource_text")
FormerSpanRow = msgspec.defstruct(
    "FormerSpanRow",
    [
        (name, SpanRow.__annotations__[name])
        for name in SpanRow.__struct_fields__
        if name != "resource_json"
    ]
    + [("resource", dict[str, str])],
    namespace={"__module__": "whence.store.rows"},
)
GRANULE = 1024


def trace_id(number: int) -> str:
    return f"tr-{(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128:032x}"


def to_former(row: SpanRow) -> msgspec.Struct:
    """Return a row as it was before step 7: a resource was a map of JSON texts."""
    fields = msgspec.structs.asdict(row)
    return FormerSpanRow(resource=read_object(fields.pop("resource_json")), **fields)


def normal_form(json_text: str) -> str:
    return json.dumps(json.loads(json_text)) if json_text else ""


def make_spans(traces: int) -> list[SpanRow]:
    return [
        SpanRow(
            trace_id=trace_id(number),
            span_id=f"{index:016x}",
            name="step",
            inputs=f'{{"question": "{number} and {index}"}}',
            resource_json='{"service.name":"shop"}',
            version=1,
        )
        for number in range(traces)
        for index in range(5)
    ]


@pytest.fixture(scope="module")
def url(clickhouse_server_url):
    return f"{clickhouse_server_url}/storage"


@pytest.fixture(scope="module")
def filled(url):
    with open_store(url) as store:
        store.insert("spans", make_spans(4000))
        store.command("OPTIMIZE TABLE spans FINAL")
        yield store


@pytest.mark.parametrize("table", ["spans", "headers", "conflicts", "deletions"])
def test_no_id_is_packed_with_what_cannot_shrink_it(filled, table):
    """A column without a codec of its own is packed with LZ4, which leaves hex as it is."""
    columns = filled.query(
        "SELECT name FROM system.columns"
        " WHERE database = currentDatabase() AND table = {table:String}"
        " AND type = 'String' AND compression_codec = ''",
        {"table": table},
    )
    assert columns.rows == []


def test_a_read_of_one_trace_unpacks_one_granule(filled):
    plan = filled.query(
        "EXPLAIN indexes = 1 SELECT * FROM spans FINAL WHERE trace_id IN {ids:Array(String)}",
        {"ids": [trace_id(7)]},
    )
    text = "\n".join(line for (line,) in plan.rows)
    read = [line.strip() for line in text.splitlines() if "Granules:" in line]
    assert read[-1].startswith(("Granules: 1/", "Granules: 2/")), text
    (marks,) = filled.query(
        "SELECT sum(marks) FROM system.parts"
        " WHERE active AND database = currentDatabase() AND table = 'spans'"
    ).rows[0]
    assert marks >= 20_000 // GRANULE


@pytest.mark.parametrize("step", [STORAGE, RESOURCES], ids=lambda step: step.name)
def test_a_store_from_before_keeps_its_spans_however_often_a_step_is_broken_off(
    clickhouse_server_url, monkeypatch, step
):
    before = [one for one in KNOWN if one.number < step.number]
    url = f"{clickhouse_server_url}/before_{step.name}"
    rows = make_spans(10)
    rows[0].resource_json = '{"a/\\"é":[1,"x"],"service.name":"shop"}'
    rows[1].resource_json = ""
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "read_migrations", lambda: before)
        with open_store(url) as store:
            store.insert("spans", [to_former(row) for row in rows])
            statements = split_statements(step.sql)
            for done in range(len(statements) + 1):
                for statement in statements[:done]:
                    store.command(statement)
    with open_store(url) as store:
        found = read_spans(store, sorted({row.trace_id for row in rows}))
        for row in (*found, *rows):
            row.resource_json = normal_form(row.resource_json)
        assert sorted(found, key=lambda row: (row.trace_id, row.span_id)) == sorted(
            rows, key=lambda row: (row.trace_id, row.span_id)
        )
        assert store.query("EXISTS TABLE spans_of_step_5").rows == [(0,)]


def test_what_an_insert_waits_for_is_one_file(chdb_store):
    """Ten files a part were ten syncs, of 0.5 ms each."""
    chdb_store.insert("spans", [SpanRow(trace_id="tr-one-file", span_id="1" * 16, name="a")])
    part = chdb_store.query(
        "SELECT DISTINCT part_storage_type FROM system.parts"
        " WHERE database = currentDatabase() AND table = 'spans' AND name IN"
        " (SELECT _part FROM spans WHERE trace_id = 'tr-one-file')"
    )
    assert part.rows == [("Packed",)]


def test_the_embedded_engine_keeps_no_logs_of_its_own(chdb_store):
    """What nobody reads would fill the disk of an idle installation."""
    chdb_store.query("SELECT 1")
    chdb_store.command("SYSTEM FLUSH LOGS")
    kept = "SELECT name FROM system.tables WHERE database = 'system' AND engine LIKE '%MergeTree'"
    assert chdb_store.query(kept).rows == []


def test_rows_are_encoded_without_loading_pandas():
    """It would cost a server half a second of its start and 55 MB."""
    program = (
        "import sys; from whence.store.arrow import encode_rows; from whence.store.rows import TagRow;"
        "encode_rows([TagRow(trace_id='t', key='k')]); print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"False\n"
