"""Each metadata key says where it comes from; what can't be read about that is left out."""

from __future__ import annotations

import json

import pytest

from ingest.wire import batch, new_trace_hex, span
from whence.ingest.header import Header
from whence.ingest.provenance import MAX_CHARS, MAX_SOURCE_CHARS
from whence.query.views import read_trace
from whence.store.spans import read_spans

PROVENANCE = "whence.provenance"
COUNTED = ("mlflow.trace.sizeBytes", "mlflow.trace.sizeStats")


@pytest.fixture
def told(ingestor, store, experiment_id):
    """Send spans of a trace and return (metadata, provenance) as the API answers them."""

    def tell(*spans, **resource):
        ingestor.submit(batch(*spans, **resource), experiment_id=experiment_id).result(30)
        info = read_trace(store, spans[0].trace_id).info
        provenance = json.loads(bytes(info.provenance))
        assert provenance.keys() == info.trace_metadata.keys()
        return info.trace_metadata, {k: v for k, v in provenance.items() if k not in COUNTED}

    return tell


def test_every_rank_names_its_source(ingestor, store, told):
    trace = new_trace_hex()
    header = Header(trace_id=f"tr-{trace}", trace_metadata={"mlflow.user": "ann"})
    ingestor.submit_header(header).result(30)
    attributes = {"whence.metadata.tenant": "t1", "whence.metadata.flag": "on", "session.id": "s1"}
    attributes[PROVENANCE] = json.dumps({"flag": "context()", "unknown": "nobody"})
    stated = {"app_version": "env APP_VERSION", "mlflow.source.git.commit": ".git"}
    _, provenance = told(
        span(trace, 1, attributes=attributes),
        span(trace, 2, 1, attributes={"user.id": "u1", "metadata": '{"tier": "gold"}'}),
        service__version="2.1.0",
        cloud__region="eu",
        vcs__ref__head__revision="a" * 40,
        whence__metadata__color="blue",
        whence__provenance=json.dumps(stated),
    )
    assert provenance == {
        "mlflow.user": "MLflow client",
        "tenant": "update_current_trace()",
        "flag": "context()",
        "mlflow.trace.session": "span attribute session.id",
        "mlflow.trace.user": "span attribute user.id",
        "tier": "span attribute metadata",
        "app_version": "env APP_VERSION",
        "mlflow.source.git.commit": ".git",
        "region": "resource cloud.region",
        "color": "resource whence.metadata.color",
    }


def test_what_the_server_counts_says_so(ingestor, store, experiment_id):
    trace = new_trace_hex()
    usage = {"gen_ai.usage.input_tokens": 3, "gen_ai.request.model": "gpt-4o-mini"}
    ingestor.submit(batch(span(trace, 1, attributes=usage)), experiment_id=experiment_id).result(30)
    provenance = json.loads(bytes(read_trace(store, trace).info.provenance))
    keys = (*COUNTED, "mlflow.trace.tokenUsage", "mlflow.trace.cost")
    assert provenance == dict.fromkeys(keys, "derived from spans")


def test_a_local_root_speaks_for_its_own_process(told):
    trace = new_trace_hex()
    _, provenance = told(
        span(trace, 2, 1, attributes={"whence.local_root": True}),
        service__version="1",
        whence__provenance='{"app_version": "stamp /app/whence-stamp.json"}',
    )
    assert provenance["app_version"] == "stamp /app/whence-stamp.json"


def test_provenance_is_no_metadata_and_no_attribute(ingestor, store, told):
    trace = new_trace_hex()
    header = Header(trace_id=f"tr-{trace}", trace_metadata={PROVENANCE: "x"})
    ingestor.submit_header(header).result(30)
    attributes = {PROVENANCE: '{"a": "b"}', f"whence.metadata.{PROVENANCE}": "x"}
    spans = [span(trace, 1, attributes=attributes), span(trace, 2, 1, attributes=attributes)]
    metadata, _ = told(*spans, whence__provenance='{"a": "b"}')
    assert PROVENANCE not in metadata
    for row in read_spans(store, [f"tr-{trace}"]):
        assert PROVENANCE not in row.attributes
        assert PROVENANCE not in row.resource_json


@pytest.mark.parametrize(
    "stated",
    [
        "",
        "not JSON",
        "null",
        "[1, 2]",
        '{"app_version": 7}',
        '{"app_version": null}',
        '{"app_version": {"a": 1}}',
        '{"app_version": ""}',
        '{"": "x"}',
        "{" * 2000,
        json.dumps({"app_version": "x" * MAX_CHARS}),
        json.dumps({str(number): "x" for number in range(1000)}),
        "x" * 1_000_000,
        17,
        True,
        ["app_version"],
        {"app_version": "env APP_VERSION"},
        b"\xff",
    ],
    ids=lambda stated: repr(stated)[:30],
)
def test_malformed_provenance_is_left_out(told, stated):
    trace = new_trace_hex()
    metadata, provenance = told(
        span(trace, 1, attributes={"whence.metadata.k": "v", PROVENANCE: stated}),
        service__version="1",
        whence__provenance=stated,
    )
    assert (metadata["k"], metadata["app_version"]) == ("v", "1")
    assert provenance == {"k": "update_current_trace()", "app_version": "resource service.version"}


def test_a_source_is_short_and_its_text_survives(told):
    trace = new_trace_hex()
    sources = json.dumps({"app_version": "s" * 5000, "region": "🦊 \0"})
    _, provenance = told(
        span(trace, 1), service__version="1", cloud__region="eu", whence__provenance=sources
    )
    assert provenance["app_version"] == "s" * MAX_SOURCE_CHARS
    assert provenance["region"].endswith("🦊 \0")


def test_a_trace_of_old_has_no_provenance(store, experiment_id):
    trace = new_trace_hex()
    store.command(
        "INSERT INTO traces (experiment_id, trace_id, state, version)"
        " VALUES ({experiment:String}, {trace:String}, 'OK', 1)",
        {"experiment": experiment_id, "trace": f"tr-{trace}"},
    )
    assert bytes(read_trace(store, trace).info.provenance) == b"{}"


def test_provenance_is_the_same_when_the_trace_is_read_back_and_assembled_again(
    own_ingestor, chdb_store, experiment_id
):
    trace = new_trace_hex()
    root = span(trace, 1, attributes={"whence.metadata.k": "v", PROVENANCE: '{"k": "context()"}'})
    spans = batch(root, service__version="1", whence__provenance='{"app_version": "stamp /s"}')
    own_ingestor().submit(spans, experiment_id=experiment_id).result(30)
    before = json.loads(bytes(read_trace(chdb_store, trace).info.provenance))
    late = batch(span(trace, 2, 1, attributes={"user.id": "u"}), service__version="1")
    own_ingestor().submit(late, experiment_id=experiment_id).result(30)
    after = json.loads(bytes(read_trace(chdb_store, trace).info.provenance))
    assert after == {**before, "mlflow.trace.user": "span attribute user.id"}
    assert (after["k"], after["app_version"]) == ("context()", "stamp /s")
