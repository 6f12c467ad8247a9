"""Spans go in at the door and come out of the tables as whole traces."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from ingest.wire import START_NS, batch, new_trace_hex, pending, span
from whence.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from whence.ingest.header import Header
from whence.store.assessments import read_assessments
from whence.store.conflicts import read_conflicts
from whence.store.documents import read_document
from whence.store.experiments import read_experiments
from whence.store.headers import read_headers
from whence.store.spans import read_spans
from whence.store.tags import read_tags
from whence.store.traces import locate_traces, read_traces


def send(ingestor, *spans, experiment_id=None, **resource):
    return ingestor.submit(batch(*spans, **resource), experiment_id=experiment_id).result(30)


def read_trace(store, trace_hex):
    rows = read_traces(store, [f"tr-{trace_hex}"])
    return rows[0] if rows else None


def is_complete(store, trace_hex):
    return locate_traces(store, [f"tr-{trace_hex}"])[f"tr-{trace_hex}"][2]


def test_a_trace_gets_its_metadata_from_the_resource_of_a_plain_opentelemetry_program(
    ingestor, store, experiment_id
):
    trace = new_trace_hex()
    result = send(
        ingestor,
        span(trace, 1, name="handle"),
        span(trace, 2, 1),
        experiment_id=experiment_id,
        service__version="2.1.0",
        deployment__environment__name="Prod",
        vcs__ref__head__revision="abc123",
        service__name="shop",
    )
    row = read_trace(store, trace)
    assert result.accepted_spans == 2
    assert (row.app_version, row.environment, row.metadata_environment) == (
        "2.1.0",
        "production",
        "Prod",
    )
    assert (row.commit, row.metadata["service.name"]) == ("abc123", "shop")
    assert (row.trace_name, row.state, row.span_count) == ("handle", "OK", 2)
    assert row.request_time_ms == (START_NS + 1_000_000) // 1_000_000
    assert row.duration_ns == 5_000_000


def test_a_trace_without_its_root_is_there_as_unfinished(ingestor, store, experiment_id):
    trace = new_trace_hex()
    send(ingestor, span(trace, 2, 1), experiment_id=experiment_id)
    assert read_trace(store, trace).state == "IN_PROGRESS"
    assert not is_complete(store, trace)


def test_a_trace_leaves_the_open_ones_when_its_root_arrives(ingestor, store, experiment_id):
    trace = new_trace_hex()
    send(ingestor, span(trace, 2, 1), experiment_id=experiment_id)
    send(ingestor, span(trace, 1), experiment_id=experiment_id)
    assert is_complete(store, trace)
    rows = store.query(
        "SELECT trace_id FROM open_traces FINAL WHERE trace_id = {trace_id:String}",
        {"trace_id": f"tr-{trace}"},
    ).rows
    assert rows == []


def test_a_true_root_moves_a_trace_that_a_local_root_ended(ingestor, store, experiment_id):
    trace = new_trace_hex()
    local = span(trace, 5, 4, attributes={"whence.local_root": True})
    send(ingestor, local, experiment_id=experiment_id)
    assert is_complete(store, trace)
    send(ingestor, span(trace, 1), experiment_id=experiment_id)
    rows = store.query(
        "SELECT request_time_ms FROM traces FINAL WHERE trace_id = {trace_id:String}",
        {"trace_id": f"tr-{trace}"},
    ).rows
    assert rows == [((START_NS + 1_000_000) // 1_000_000,)]


def test_a_pending_root_keeps_version_and_session_until_the_final_one_comes(
    ingestor, store, experiment_id
):
    trace = new_trace_hex()
    root = span(
        trace, 1, attributes={"whence.metadata.app_version": "1.0", "mlflow.spanType": "CHAIN"}
    )
    send(ingestor, pending(root), experiment_id=experiment_id)
    row = read_trace(store, trace)
    assert (row.state, row.app_version, row.duration_ns) == ("IN_PROGRESS", "1.0", None)
    send(ingestor, root, experiment_id=experiment_id)
    send(ingestor, pending(root), experiment_id=experiment_id)
    row = read_trace(store, trace)
    assert (row.state, row.app_version, row.span_count) == ("OK", "1.0", 1)
    assert read_spans(store, [row.trace_id])[0].end_time_ns == root.end_time_ns


def test_the_same_again_changes_nothing_and_says_nothing(ingestor, store, experiment_id):
    trace = new_trace_hex()
    root = span(trace, 1, attributes={"whence.metadata.k": "v"})
    send(ingestor, root, experiment_id=experiment_id)
    before = read_trace(store, trace)
    assert send(ingestor, root, experiment_id=experiment_id).message == ""
    assert read_trace(store, trace).metadata == before.metadata
    assert len(read_spans(store, [f"tr-{trace}"])) == 1


def test_a_late_retry_does_not_resurrect_a_deleted_trace(ingestor, store, experiment_id):
    trace, gone = new_trace_hex(), new_trace_hex()
    root = span(trace, 1)
    send(ingestor, root, experiment_id=experiment_id)
    assert ingestor.delete_traces([f"tr-{trace}", f"tr-{gone}", f"tr-{trace}"]) == 1
    assert send(ingestor, root, span(trace, 2, 1), experiment_id=experiment_id).accepted_spans == 2
    ingestor.submit_header(Header(trace_id=f"tr-{trace}", state="OK")).result(30)
    assert read_trace(store, trace) is None
    assert read_spans(store, [f"tr-{trace}"]) == []
    assert read_headers(store, [f"tr-{trace}"]) == []
    assert ingestor.delete_traces([f"tr-{trace}"]) == 0


def test_an_open_trace_can_be_deleted(ingestor, store, experiment_id):
    trace = new_trace_hex()
    send(ingestor, span(trace, 2, 1), experiment_id=experiment_id)
    assert ingestor.delete_traces([f"tr-{trace}"]) == 1
    assert read_trace(store, trace) is None


def test_a_late_retry_does_not_bring_a_deleted_tag_back(ingestor, store, experiment_id):
    trace = new_trace_hex()
    root = span(trace, 1, attributes={"mlflow.traceTag.team": "blue"})
    send(ingestor, root, experiment_id=experiment_id)
    assert read_trace(store, trace).tags == {"team": "blue"}
    ingestor.delete_tag(f"tr-{trace}", "team")
    send(ingestor, root, experiment_id=experiment_id)
    assert [(row.key, row.deleted) for row in read_tags(store, [f"tr-{trace}"])] == [("team", 1)]
    with pytest.raises(NotFoundError, match="No trace tag with key 'team'"):
        ingestor.delete_tag(f"tr-{trace}", "team")


def test_tags_are_set_and_set_again(ingestor, store, experiment_id):
    trace = new_trace_hex()
    send(ingestor, span(trace, 1), experiment_id=experiment_id)
    ingestor.set_tags(f"tr-{trace}", {"a": "1", "mlflow.traceName": "renamed"})
    ingestor.set_tags(f"tr-{trace}", {"a": "2"})
    tags = {row.key: row.value for row in read_tags(store, [f"tr-{trace}"])}
    assert tags == {"a": "2", "mlflow.traceName": "renamed"}


@pytest.mark.parametrize(
    ("key", "error", "words"),
    [
        ("mlflow.artifactLocation", InvalidInputError, "immutable"),
        ("k" * 251, InvalidInputError, "maximum length of 250"),
        ("no;semicolons", InvalidInputError, "letters, digits"),
        ("", InvalidInputError, "not empty"),
        ("whence.metadata.app_version", ConflictError, "immutable"),
    ],
)
def test_a_tag_that_may_not_be_set_is_refused(chdb_ingestor, experiment_id, key, error, words):
    trace = new_trace_hex()
    send(chdb_ingestor, span(trace, 1), experiment_id=experiment_id)
    with pytest.raises(error, match=words):
        chdb_ingestor.set_tags(f"tr-{trace}", {key: "x"})


def test_a_tag_of_an_unknown_trace_is_refused(ingestor):
    with pytest.raises(NotFoundError, match="not found"):
        ingestor.set_tags("tr-nowhere", {"a": "1"})


def test_a_header_outranks_the_root_of_its_client_and_may_come_first_or_last(
    ingestor, store, experiment_id
):
    rows = []
    for header_first in (True, False):
        trace = new_trace_hex()
        header = Header(
            trace_id=f"tr-{trace}",
            experiment_id=experiment_id,
            request_time_ms=1_700_000_000_000,
            duration_ns=9_000_000,
            state="OK",
            trace_metadata={"app_version": "from header", "mlflow.trace.tokenUsage": "{}"},
            tags={"mlflow.traceName": "named", "team": "blue", "mlflow.artifactLocation": "x"},
        )
        said = {"whence.metadata.app_version": "from root", "mlflow.traceRequestId": trace}
        root = span(trace, 1, status=2, attributes=said)
        if header_first:
            ingestor.submit_header(header).result(30)
        send(ingestor, root, experiment_id=experiment_id)
        if not header_first:
            ingestor.submit_header(header).result(30)
        rows.append(read_trace(store, trace))
        assert [row.refused for row in read_conflicts(store, [f"tr-{trace}"])] == ["from root"]
    for row in rows:
        assert (row.app_version, row.state, row.trace_name) == ("from header", "OK", "named")
        assert (row.request_time_ms, row.duration_ns) == (1_700_000_000_000, 9_000_000)
        assert (row.tags, row.error_count) == ({"team": "blue"}, 1)


def test_a_second_header_may_repeat_and_fill_but_not_change(ingestor, store, experiment_id):
    trace_id = f"tr-{new_trace_hex()}"
    first = Header(
        trace_id=trace_id,
        experiment_id=experiment_id,
        state="IN_PROGRESS",
        trace_metadata={"app_version": "1"},
    )
    ingestor.submit_header(first).result(30)
    ingestor.submit_header(first).result(30)
    more = Header(trace_id=trace_id, state="OK", trace_metadata={"region": "eu"})
    ingestor.submit_header(more).result(30)
    hacked = Header(trace_id=trace_id, trace_metadata={"app_version": "HACKED"})
    with pytest.raises(ConflictError, match="HACKED"):
        ingestor.submit_header(hacked).result(30)
    row = read_traces(store, [trace_id])[0]
    assert (row.state, row.app_version, row.metadata["region"]) == ("OK", "1", "eu")
    assert [row.refused for row in read_conflicts(store, [trace_id])] == ["HACKED"]


def test_a_second_header_may_fill_what_the_first_left_empty(ingestor, store, experiment_id):
    trace = new_trace_hex()
    branch, commit = "mlflow.source.git.branch", "mlflow.source.git.commit"
    for stated in ({branch: "", commit: "abc"}, {branch: "main", commit: ""}):
        header = Header(
            trace_id=f"tr-{trace}", experiment_id=experiment_id, state="OK", trace_metadata=stated
        )
        ingestor.submit_header(header).result(30)
    row = read_trace(store, trace)
    assert (row.commit, row.branch) == ("abc", "main")


def test_assessments_of_a_header_never_overwrite_what_a_call_wrote(ingestor, store, experiment_id):
    trace_id = f"tr-{new_trace_hex()}"
    initial = {
        "assessment_id": "a-1",
        "assessment_name": "rel",
        "source": {"source_type": "HUMAN", "source_id": "me"},
        "feedback": {"value": 0.5},
    }
    header = Header(trace_id=trace_id, experiment_id=experiment_id, assessments=[initial])
    ingestor.submit_header(header).result(30)
    assert read_assessments(store, [trace_id])[0].value == "0.5"
    ingestor.log_assessment(trace_id, {**initial, "feedback": {"value": 0.9}})
    ingestor.submit_header(header).result(30)
    assert read_assessments(store, [trace_id])[0].value == "0.9"
    ingestor.delete_assessment(trace_id, "a-1")
    ingestor.submit_header(header).result(30)
    assert read_assessments(store, [trace_id])[0].deleted == 1


def test_an_override_is_valid_in_place_of_the_old_assessment(ingestor, store, experiment_id):
    trace = new_trace_hex()
    send(ingestor, span(trace, 1), experiment_id=experiment_id)
    payload = {"assessment_name": "rel", "feedback": {"value": True}}
    old = ingestor.log_assessment(f"tr-{trace}", payload)
    new = ingestor.log_assessment(f"tr-{trace}", {**payload, "overrides": old.assessment_id})

    def valid():
        rows = read_assessments(store, [f"tr-{trace}"])
        return {row.assessment_id for row in rows if row.valid and not row.deleted}

    assert valid() == {new.assessment_id}
    ingestor.delete_assessment(f"tr-{trace}", new.assessment_id)
    assert valid() == {old.assessment_id}
    with pytest.raises(NotFoundError):
        ingestor.log_assessment(f"tr-{trace}", {**payload, "overrides": "a-none"})
    with pytest.raises(InvalidInputError, match="exactly one"):
        ingestor.log_assessment(f"tr-{trace}", {"assessment_name": "rel"})


def test_the_experiment_comes_from_the_header_then_the_resource_then_the_default(
    chdb_ingestor, chdb_store
):
    cases = [
        ("77", {"mlflow__experimentId": "88"}, "77"),
        (None, {"mlflow__experimentId": "88"}, "88"),
        (None, {"whence__experiment__name": "chatbot"}, "1062218882224921"),
        (None, {}, "0"),
    ]
    for header, resource, expected in cases:
        trace = new_trace_hex()
        send(chdb_ingestor, span(trace, 1), experiment_id=header, **resource)
        assert read_trace(chdb_store, trace).experiment_id == expected
    names = {row.experiment_id: row.name for row in read_experiments(chdb_store)}
    assert (names["0"], names["1062218882224921"]) == ("Default", "chatbot")
    assert {"77", "88"} <= names.keys()


def test_an_experiment_is_created_once(chdb_ingestor):
    first = chdb_ingestor.create_experiment("only once")
    assert chdb_ingestor.create_experiment("only once") == first
    with pytest.raises(InvalidInputError):
        chdb_ingestor.create_experiment(" ")


def test_a_trace_never_moves_to_another_experiment(ingestor, store, experiment_id):
    trace = new_trace_hex()
    send(ingestor, span(trace, 2, 1), experiment_id=experiment_id)
    send(ingestor, span(trace, 1), experiment_id="4711")
    assert read_trace(store, trace).experiment_id == experiment_id
    assert [row.refused for row in read_conflicts(store, [f"tr-{trace}"])] == ["4711"]


def test_a_writer_that_remembers_nothing_reads_back_and_agrees(
    own_ingestor, chdb_store, experiment_id
):
    forgetful = own_ingestor(max_remembered_spans=0)
    trace = new_trace_hex()
    key = "whence.metadata.app_version"
    send(forgetful, span(trace, 2, 1, attributes={key: "x"}), experiment_id=experiment_id)
    send(forgetful, span(trace, 1, attributes={key: "1.0"}), experiment_id=experiment_id)
    send(forgetful, span(trace, 3, 1), span(trace, 1), experiment_id=experiment_id)
    row = read_trace(chdb_store, trace)
    assert (row.state, row.app_version, row.span_count) == ("OK", "1.0", 3)
    assert is_complete(chdb_store, trace)
    assert [row.refused for row in read_conflicts(chdb_store, [f"tr-{trace}"])] == ["x"]
    forgetful.delete_traces([f"tr-{trace}"])
    send(forgetful, span(trace, 1), experiment_id=experiment_id)
    assert read_trace(chdb_store, trace) is None


def test_many_senders_share_inserts_and_every_span_arrives(
    chdb_ingestor, chdb_store, experiment_id
):
    traces = [new_trace_hex() for _ in range(160)]
    commits = []
    stop = chdb_ingestor.subscribe(lambda trace_ids: commits.append(len(trace_ids)))
    barrier = threading.Barrier(16)

    def work(mine):
        barrier.wait(30)
        return [
            chdb_ingestor.submit(
                batch(span(trace, 1), span(trace, 2, 1)), experiment_id=experiment_id
            )
            for trace in mine
        ]

    with ThreadPoolExecutor(16) as pool:
        futures = [f for part in pool.map(work, [traces[i::16] for i in range(16)]) for f in part]
    assert not wait(futures, 60).not_done
    stop()
    assert sum(future.result().accepted_spans for future in futures) == 320
    rows = read_traces(chdb_store, [f"tr-{trace}" for trace in traces])
    assert {(row.state, row.span_count) for row in rows} == {("OK", 2)}
    assert len(rows) == 160
    assert len(commits) < 160


def test_changed_traces_are_announced_after_they_can_be_read(
    chdb_ingestor, chdb_store, experiment_id
):
    trace = new_trace_hex()
    seen, told = [], threading.Event()

    def listen(trace_ids):
        if f"tr-{trace}" in trace_ids:
            seen.append(read_trace(chdb_store, trace).state)
            told.set()

    stop = chdb_ingestor.subscribe(listen)
    send(chdb_ingestor, span(trace, 1), experiment_id=experiment_id)
    assert told.wait(30)
    stop()
    assert seen == ["OK"]


def test_a_listener_that_fails_stops_nobody(chdb_ingestor, experiment_id):
    stop = chdb_ingestor.subscribe(lambda _: 1 / 0)
    assert send(chdb_ingestor, span(new_trace_hex(), 1), experiment_id=experiment_id)
    stop()
    assert send(chdb_ingestor, span(new_trace_hex(), 1), experiment_id=experiment_id)


def test_a_full_queue_asks_the_sender_to_come_back(own_ingestor, experiment_id):
    small = own_ingestor(max_queue_jobs=1)
    blocked, go = threading.Event(), threading.Event()

    def block(_):
        blocked.set()
        go.wait(30)

    stop = small.subscribe(block)
    first = small.submit(batch(span(new_trace_hex(), 1)), experiment_id=experiment_id)
    assert blocked.wait(30)
    second = small.submit(batch(span(new_trace_hex(), 1)), experiment_id=experiment_id)
    with pytest.raises(UnavailableError) as refused:
        small.submit(batch(span(new_trace_hex(), 1)), experiment_id=experiment_id)
    go.set()
    stop()
    assert refused.value.retry_after_s > 0
    assert first.result(30).accepted_spans == second.result(30).accepted_spans == 1


def test_closing_finishes_what_was_accepted(own_ingestor, chdb_store, experiment_id):
    ingestor = own_ingestor()
    traces = [new_trace_hex() for _ in range(20)]
    futures = [
        ingestor.submit(batch(span(trace, 1)), experiment_id=experiment_id) for trace in traces
    ]
    ingestor.close()
    assert all(future.done() for future in futures)
    assert len(read_traces(chdb_store, [f"tr-{trace}" for trace in traces])) == 20
    with pytest.raises(UnavailableError):
        ingestor.submit(batch(span(new_trace_hex(), 1)))


def test_the_first_document_of_a_kind_and_hash_stays(ingestor, store, experiment_id):
    for text in ("first", "second"):
        told = {"kind": "diff", "hash": experiment_id, "text": text}
        attributes = {f"whence__document__{name}": value for name, value in told.items()}
        send(ingestor, **attributes)
    document = read_document(store, "diff", experiment_id)
    assert document is not None
    assert document.text == "first"
    assert document.received_at_us > 0
    assert read_document(store, "patch", experiment_id) is None


def test_a_repository_url_is_stored_without_its_password(ingestor, store, experiment_id):
    url, clean = "https://ann:s3cret@example.com/app.git", "https://example.com/app.git"
    by_resource, by_root, by_header = new_trace_hex(), new_trace_hex(), new_trace_hex()
    key = "mlflow.source.git.repoURL"
    send(
        ingestor,
        span(by_resource, 1),
        experiment_id=experiment_id,
        vcs__repository__url__full=url,
    )
    root = span(by_root, 1, attributes={f"whence.metadata.{key}": url})
    send(ingestor, root, experiment_id=experiment_id)
    header = Header(
        trace_id=f"tr-{by_header}", experiment_id=experiment_id, trace_metadata={key: url}
    )
    ingestor.submit_header(header).result(30)
    for trace in (by_resource, by_root, by_header):
        assert read_trace(store, trace).metadata[key] == clean
    rows = read_spans(store, [f"tr-{by_resource}", f"tr-{by_root}"])
    assert not any("s3cret" in str(row) for row in rows)
    assert not any("s3cret" in row.header for row in read_headers(store, [f"tr-{by_header}"]))


@pytest.mark.parametrize(
    "name",
    [
        "whence.metadata.vcs.repository.url.full",
        "langfuse.trace.metadata.mlflow.source.git.repoURL",
        "traceloop.association.properties.vcs.repository.url.full",
    ],
)
def test_a_repository_url_under_any_of_its_names_has_no_password(
    ingestor, store, experiment_id, name
):
    trace, key = new_trace_hex(), name.partition(".vcs.")[2] and "vcs.repository.url.full"
    url = "https://ann:s3cret@example.com/app.git"
    send(ingestor, span(trace, 1, attributes={name: url}), experiment_id=experiment_id)
    metadata = read_trace(store, trace).metadata
    assert metadata[key or "mlflow.source.git.repoURL"] == "https://example.com/app.git"
    assert "s3cret" not in str(read_spans(store, [f"tr-{trace}"]))
