"""Real processes, the real exporter and a local store: what arrives after a fork, a pool, an exit."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from whence.otlp.json import decode_request

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def run(tmp_path, code, *, pending=False):
    """Run a program that records into a store of its own; return the spans that arrived.

    With `pending` those that were still open, too, in the order of their arrival.
    """
    program = tmp_path / "program.py"
    program.write_text("import os, sys, whence\n" + textwrap.dedent(code))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("WHENCE_", "MLFLOW_"))}
    subprocess.run(
        [sys.executable, program],
        env={**environment, "WHENCE_URL": str(tmp_path / "store")},
        timeout=20,
        check=True,
    )
    lines = [
        line
        for path in sorted((tmp_path / "store" / "spool").glob("*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]
    return [
        span
        for line in lines
        for group in decode_request(line)
        for span in group.spans
        if span.end_time_ns or pending
    ]


def test_a_forked_child_says_first_that_its_parents_root_is_open(tmp_path):
    spans = run(
        tmp_path,
        """
        def hide(span):
            span.set_trace_metadata({"secret": "***"})
        whence.configure(span_processors=[hide])
        with whence.start_span("parent"):
            whence.update_current_trace(metadata={"secret": "s", "a": "b"})
            pid = os.fork()
            if pid == 0:
                for name in ("first", "second"):
                    with whence.start_span(name):
                        pass
                assert whence.flush(20)
                stats = whence.tracing.stats()
                assert (stats.recorded, stats.exported) == (2, 2), stats
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        """,
        pending=True,
    )
    assert [(span.name, span.end_time_ns > 0) for span in spans] == [
        ("parent", False),
        ("first", True),
        ("second", True),
        ("parent", True),
    ]
    assert len({span.trace_id for span in spans}) == 1
    assert spans[0].span_id == spans[3].span_id
    assert spans[0].attributes["whence.pending"] is True
    assert spans[0].attributes["whence.metadata.a"] == "b"
    assert spans[0].attributes["whence.metadata.secret"] == "***"


def test_a_forked_childs_spans_arrive_and_its_parents_arrive_once(tmp_path):
    spans = run(
        tmp_path,
        """
        with whence.start_span("parent"):
            whence.update_current_trace(metadata={"who": "parent"})
            with whence.start_span("before"):
                pass
            pid = os.fork()
            if pid == 0:
                with whence.start_span("child"):
                    whence.update_current_trace(metadata={"who": "child"})
                    with whence.start_span("grandchild"):
                        pass
            else:
                assert os.waitpid(pid, 0)[1] == 0
                with whence.start_span("after"):
                    pass
        """,
    )
    by_name = {span.name: span for span in spans}
    assert sorted(span.name for span in spans) == [
        "after",
        "before",
        "child",
        "grandchild",
        "parent",
    ]
    assert len({span.trace_id for span in spans}) == 1
    assert len({span.span_id for span in spans}) == 5
    assert by_name["child"].parent_id == by_name["parent"].span_id
    assert by_name["child"].attributes["whence.local_root"] is True
    assert by_name["child"].attributes["whence.metadata.who"] == "child"
    assert by_name["parent"].attributes["whence.metadata.who"] == "parent"
    assert by_name["grandchild"].parent_id == by_name["child"].span_id


def test_forks_under_load_neither_hang_nor_repeat_ids(tmp_path):
    spans = run(
        tmp_path,
        """
        import threading, time
        stop = threading.Event()
        traced = whence.trace(lambda: None, name="busy")
        def work():
            while not stop.is_set():
                traced()
                time.sleep(0.0005)
        threads = [threading.Thread(target=work, daemon=True) for _ in range(3)]
        for thread in threads: thread.start()
        pids = []
        for number in range(5):
            pid = os.fork()
            if pid == 0:
                with whence.start_span(f"child {number}"):
                    pass
                whence.flush(10)
                os._exit(0)
            pids.append(pid)
        for pid in pids:
            assert os.waitpid(pid, 0)[1] == 0
        stop.set()
        for thread in threads: thread.join()
        """,
    )
    names = [span.name for span in spans if span.name != "busy"]
    assert sorted(names) == [f"child {number}" for number in range(5)]
    assert len({span.span_id for span in spans}) == len(spans)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing_deliver(tmp_path, method):
    spans = run(
        tmp_path,
        f"""
        import multiprocessing
        @whence.trace
        def work(x):
            return x
        if __name__ == "__main__":
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                assert pool.map(work, range(4)) == [0, 1, 2, 3]
                pool.close()
                pool.join()
        """,
    )
    assert [span.name for span in spans] == ["work"] * 4


def test_what_ended_before_the_exit_arrives_without_a_flush(tmp_path):
    spans = run(
        tmp_path,
        """
        whence.set_experiment("chatbot")
        with whence.start_span("root"):
            whence.update_current_trace(metadata={"a": "b"})
        stats = whence.tracing.stats()
        assert (stats.recorded, stats.dropped, stats.problems) == (1, 0, {}), stats
        """,
    )
    assert [span.name for span in spans] == ["root"]
    assert spans[0].attributes["whence.metadata.a"] == "b"
