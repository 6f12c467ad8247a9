from __future__ import annotations

import pytest

import whence
from whence import semconv
from whence.entities import TraceState
from whence.errors import InvalidInputError


def test_updates_are_merged_and_later_ones_win(spans):
    given = {"a": "1", "b": "1"}
    with whence.start_span("s"):
        whence.update_current_trace(metadata=given, tags={"t": "1"})
        given["a"] = "changed by the program"
        whence.update_current_trace(
            metadata={"b": "2"}, tags={"u": "2"}, session_id="s-1", user="u-1", model_id="m-1"
        )
    assert spans.metadata() == {
        "a": "1", "b": "2", semconv.SESSION: "s-1", semconv.TRACE_USER: "u-1", semconv.MODEL_ID: "m-1",
    }  # fmt: skip
    assert spans.tags() == {"t": "1", "u": "2"}


def test_a_child_may_update_the_trace_and_only_the_root_carries_it(spans):
    with whence.start_span("root"), whence.start_span("child"):
        whence.update_current_trace(metadata={"a": "1"})
    assert spans.metadata("root") == {"a": "1"}
    assert spans.metadata("child") == {}


def test_none_leaves_a_key_out(spans, warnings_logged):
    with whence.start_span("s"):
        whence.update_current_trace(
            metadata={"a": None, "b": ""},
            tags={"t": None},
            client_request_id=None,
            session_id=None,
            user=None,
        )
    assert spans.metadata() == {"b": ""}
    assert spans.tags() == {}
    assert semconv.CLIENT_REQUEST_ID not in spans.one().attributes
    assert warnings_logged() == []


def test_what_is_not_a_string_is_stored_as_one_with_one_warning(spans, warnings_logged):
    with whence.start_span("s"):
        whence.update_current_trace(metadata={"a": True, 5: {"b": 1}}, client_request_id=5)
        whence.update_current_trace(metadata={"c": 1.5})
    assert spans.metadata() == {"a": "True", "5": "{'b': 1}", "c": "1.5"}
    assert spans.one().attributes[semconv.CLIENT_REQUEST_ID] == "5"
    assert len(warnings_logged()) == 1


def test_values_that_cannot_be_printed_do_not_raise(spans):
    class Unprintable:
        def __str__(self):
            raise RuntimeError

    with whence.start_span("s"):
        whence.update_current_trace(metadata={"a": Unprintable(), "b": "kept"})
    assert spans.metadata()["b"] == "kept"
    assert spans.metadata()["a"].startswith("<Unprintable")


def test_long_keys_and_values_are_cut_and_listed(spans):
    with whence.start_span("s"):
        whence.update_current_trace(
            metadata={"k" * 300: "v", "long": "v" * 9000, "fits": "v" * 8000}
        )
    metadata = spans.metadata()
    assert metadata["k" * 250] == "v"
    assert metadata["long"] == "v" * 8000
    assert metadata[semconv.TRUNCATED] == "k" * 250 + ",long"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metadata": "abc"}, "`metadata` must be a dict, but got str"),
        ({"tags": ["a"]}, "`tags` must be a dict, but got list"),
        ({"state": "DONE"}, "State must be either 'OK' or 'ERROR', but got 'DONE'"),
        ({"request_preview": 5}, "`request_preview` parameter must be a string"),
        ({"response_preview": b"x"}, "`response_preview` parameter must be a string"),
        ({"session_id": []}, "must be a string or a non-empty list of strings"),
        ({"session_id": ["a", 1]}, "must be a string or a non-empty list of strings"),
    ],
)
def test_wrong_arguments_raise_and_change_nothing(spans, arguments, message):
    with whence.start_span("s"):
        with pytest.raises(InvalidInputError, match=message):
            whence.update_current_trace(**{"metadata": {"a": "1"}, **arguments})
    assert spans.metadata() == {}


def test_previews_states_and_hierarchical_sessions_are_kept(spans):
    with whence.start_span("s"):
        whence.update_current_trace(
            request_preview="q" * 5000, response_preview="", state=TraceState.ERROR,
            client_request_id="r-1", session_id=["trip", "day 1"],
        )  # fmt: skip
    attributes = spans.one().attributes
    assert attributes[semconv.REQUEST_PREVIEW] == "q" * 5000
    assert attributes[semconv.RESPONSE_PREVIEW] == ""
    assert attributes[semconv.TRACE_STATE] == "ERROR"
    assert attributes[semconv.CLIENT_REQUEST_ID] == "r-1"
    assert spans.metadata() == {semconv.SESSION: '["trip","day 1"]'}


def test_without_an_active_trace_there_is_one_warning_and_no_error(warnings_logged):
    whence.update_current_trace(metadata={"a": "1"})
    whence.update_current_trace(metadata="even this")
    assert [text.split(":")[0] for text in warnings_logged()] == ["No active trace found"]
    assert whence.tracing.stats().problems["updates_without_trace"] == 2


def test_once_the_root_has_ended_the_context_is_fixed(spans, warnings_logged):
    root = whence.start_span_no_context("root", metadata={"a": "1"}, tags={"t": "1"})
    child = whence.start_span_no_context("child", parent_span=root)
    root.end()
    child.set_trace_metadata({"a": "2"})
    child.end()
    child.set_inputs("late")
    child.set_attribute("late", 1)
    root.end()
    assert spans.metadata("root") == {"a": "1"}
    assert semconv.INPUTS not in spans.one("child").attributes
    assert whence.tracing.stats().problems["late_writes"] == 4
    assert len(warnings_logged()) == 1
    assert len(spans) == 2


def test_a_task_that_outlives_the_root_cannot_change_the_trace(spans):
    import contextvars

    with whence.start_span("root"):
        whence.update_current_trace(metadata={"a": "1"})
        later = contextvars.copy_context()
    later.run(whence.update_current_trace, metadata={"a": "2"})
    assert spans.metadata() == {"a": "1"}


def test_tags_of_an_open_trace_are_set_in_memory(spans):
    with whence.start_span("s") as span:
        whence.set_trace_tag(span.trace_id, "a", 1)
        whence.set_trace_tag(span.trace_id.removeprefix("tr-"), "b", "2")
        whence.set_trace_tag(span.trace_id, "mlflow.artifactLocation", "refused")
        whence.delete_trace_tag(span.trace_id, "b")
        with pytest.raises(
            whence.errors.NotFoundError, match="Tag with key nope not found in trace with ID tr-"
        ):
            whence.delete_trace_tag(span.trace_id, "nope")
    assert spans.tags() == {"a": "1"}


def test_scopes_nest_and_give_to_the_traces_that_start_inside(spans):
    with whence.tracing.context(
        metadata={"a": "outer", "b": "outer", "none": None}, session_id="s-1"
    ):
        with whence.tracing.context(metadata={"b": "inner"}, tags={"t": 1}, user="u-1"):
            with whence.start_span("inside"):
                whence.update_current_trace(metadata={"a": "said"})
        with whence.start_span("between"):
            pass
    with whence.start_span("after"):
        pass
    assert spans.metadata("inside") == {
        "a": "said",
        "b": "inner",
        semconv.SESSION: "s-1",
        semconv.TRACE_USER: "u-1",
    }
    assert spans.tags("inside") == {"t": "1"}
    assert spans.metadata("between") == {"a": "outer", "b": "outer", semconv.SESSION: "s-1"}
    assert spans.metadata("after") == {}


def test_a_scope_may_switch_recording_off_and_on_again(spans):
    call = whence.trace(lambda: whence.get_active_trace_id(), name="call")
    with whence.tracing.context(enabled=False):
        assert call() == "MLFLOW_NO_OP_SPAN_TRACE_ID"
        with whence.start_span("off") as span:
            span.set_inputs(1)
            assert span.trace_id == "MLFLOW_NO_OP_SPAN_TRACE_ID"
        whence.update_current_trace(metadata={"a": "b"})
        with whence.tracing.context(enabled=True):
            call()
    with pytest.raises(InvalidInputError), whence.tracing.context(enabled="no"):
        pass
    assert spans.names() == ["call"]


def test_disabled_tracing_only_runs_the_functions(spans):
    whence.tracing.disable()
    assert whence.trace(lambda x: x)(5) == 5
    with whence.start_span("s") as span:
        span.set_attribute("a", 1)
        assert whence.get_current_active_span() is span
    assert whence.start_span_no_context("n").end() is None
    assert list(whence.trace(lambda: iter([1]))()) == [1]
    whence.tracing.enable()
    with whence.start_span("s"):
        pass
    assert spans.names() == ["s"]


def test_ids_of_active_and_last_traces(spans):
    import threading

    assert whence.get_active_trace_id() is None
    with whence.start_span("a") as span:
        assert whence.get_active_trace_id() == span.trace_id
        assert whence.get_current_active_span() is span
        assert whence.get_last_active_trace_id() is None
    assert whence.get_last_active_trace_id() == span.trace_id

    def other():
        with whence.start_span("b"):
            pass

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert whence.get_last_active_trace_id(thread_local=True) == span.trace_id
    assert whence.get_last_active_trace_id() != span.trace_id
