"""What becomes of a judgement: it travels with its trace, or is a request to the server.

What is said of a trace that is open in this process is kept with it and travels on its root, as its
tags do: it needs no server, and it is spooled with the trace while the server is away. Of any other
trace it is a request, which raises where there is no such trace. Values are stored as `capture`
does it: numbers stay what they are, and an object that JSON has no form for becomes its text.

The span of nothing (`MLFLOW_NO_OP_SPAN_TRACE_ID`) can be judged too; nothing is stored.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from whence.entities.assessment import Assessment, Feedback
from whence.entities.timestamp import format_timestamp
from whence.errors import InvalidInputError, NotFoundError
from whence.sdk.capture import active
from whence.sdk.capture.noop import NO_OP_TRACE_ID
from whence.sdk.capture.trace_metadata import check_mapping, clean
from whence.sdk.capture.values import capture, decode
from whence.sdk.reading.http import path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from whence.entities.assessment_source import AssessmentSource
    from whence.sdk.capture.active import ActiveTrace
    from whence.sdk.reading.client import Client

KINDS = ("feedback", "expectation", "issue")
CHANGEABLE = ("assessment_name", "feedback", "expectation", "rationale", "metadata")


class Judgements:
    """Logs, reads and changes assessments. `find_client` says whom to ask at each call."""

    def __init__(self, find_client: Callable[[], Client]) -> None:
        self._find_client = find_client

    def log(self, trace_id: str, assessment: Assessment) -> Assessment:
        """Store a judgement; return it as it was stored."""
        form = write_assessment(trace_id, assessment)
        if trace_id == NO_OP_TRACE_ID:
            return Assessment.from_dict(form)
        trace = active.find_open(trace_id)
        if trace is not None:
            _override(trace, form)
            trace.add_assessment(form)
            if not trace.is_closed:
                return Assessment.from_dict(form)
            # The root has just ended, perhaps without it; logged twice it is stored once.
        return self._call("POST", trace_id, body=form)

    def read(self, trace_id: str, assessment_id: str) -> Assessment:
        """Return a judgement."""
        form = _find_open(active.find_open(trace_id), trace_id, assessment_id)
        if form is not None:
            return Assessment.from_dict(form)
        return self._call("GET", trace_id, assessment_id)

    def update(self, trace_id: str, assessment_id: str, assessment: Assessment) -> Assessment:
        """Change what `assessment` says."""
        given = _changes(assessment)
        trace = active.find_open(trace_id)
        form = _find_open(trace, trace_id, assessment_id)
        if trace is None or form is None:
            body = {"assessment": given, "update_mask": list(given)}
            return self._call("PATCH", trace_id, assessment_id, body=body)
        merged = _merge(form, given)
        trace.add_assessment(merged)
        return Assessment.from_dict(merged)

    def override(
        self,
        trace_id: str,
        assessment_id: str,
        value: Any,
        rationale: str | None,
        source: AssessmentSource | None,
        metadata: dict[str, Any] | None,
    ) -> Assessment:
        """Put a feedback in the place of another."""
        old = self.read(trace_id, assessment_id)
        if not isinstance(old, Feedback):
            raise InvalidInputError(
                f"The assessment with ID {assessment_id} is not a feedback assessment."
            )
        new = Feedback(
            name=old.name,
            value=value,
            source=source,
            metadata=metadata,
            span_id=old.span_id,
            rationale=rationale,
            overrides=assessment_id,
        )
        return self.log(trace_id, new)

    def delete(self, trace_id: str, assessment_id: str) -> None:
        """Delete a judgement; the one that it overrode is valid again."""
        trace = active.find_open(trace_id)
        if trace is None or trace.is_closed:
            client = self._find_client()
            client.catch_up()
            client.call("DELETE", "/traces" + path_of(trace_id, "assessments", assessment_id))
            return
        forms = trace.assessments or {}
        form = forms.get(assessment_id)
        if form is None or form.get("deleted"):
            return
        trace.add_assessment({**form, "deleted": True})
        overridden = forms.get(form.get("overrides", ""))
        if overridden is not None:
            trace.add_assessment({**overridden, "valid": True})

    def _call(self, method: str, trace_id: str, *more: str, body: Any = None) -> Assessment:
        client = self._find_client()
        client.catch_up()
        path = "/traces" + path_of(trace_id, "assessments", *more)
        return Assessment.from_dict(client.call(method, path, body=body))


def write_assessment(trace_id: str, assessment: Assessment) -> dict[str, Any]:
    """Return a new judgement in MLflow's JSON form, with an id. Raises `InvalidInputError`."""
    if not isinstance(trace_id, str) or not trace_id:
        raise InvalidInputError(f"a trace id is a non-empty string, not {trace_id!r}")
    form = _check(assessment).to_dict()
    form["assessment_id"] = form.get("assessment_id") or f"a-{uuid.uuid4().hex}"
    form["trace_id"] = trace_id
    form.setdefault("valid", True)
    return _plain(form)


def _changes(assessment: Assessment) -> dict[str, Any]:
    """Return what an update says, by the names that may change."""
    form = _check(assessment).to_dict()
    return _plain({name: form[name] for name in CHANGEABLE if form.get(name) is not None})


def _check(given: object) -> Assessment:
    if not isinstance(given, Assessment):
        raise InvalidInputError(
            "`assessment` must be a Feedback, an Expectation or an IssueReference, "
            f"but got {type(given).__name__}."
        )
    return given


def _plain(form: dict[str, Any]) -> dict[str, Any]:
    """Return a form that JSON can say."""
    if form.get("metadata") is not None:
        given = check_mapping(form["metadata"], "metadata")
        form = {**form, "metadata": clean(given, "assessment metadata")[0]}
    plain: dict[str, Any] = decode(capture(form)[0])
    return plain


def _merge(form: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    for kind in KINDS:
        if kind in given and kind not in form:
            held = next(one for one in KINDS if one in form)
            raise InvalidInputError(
                f"Cannot update {kind} value on an {held.capitalize()} assessment."
            )
    metadata = {**form.get("metadata", {}), **given.get("metadata", {})}
    merged = {**form, **given, "last_update_time": format_timestamp(time.time_ns() // 1_000_000)}
    return {**merged, "metadata": metadata} if metadata else merged


def _override(trace: ActiveTrace, form: dict[str, Any]) -> None:
    """Mark what a judgement of an open trace overrides as no longer valid."""
    if form.get("overrides"):
        old = _find_open(trace, form["trace_id"], form["overrides"])
        if old is not None:
            trace.add_assessment({**old, "valid": False})


def _find_open(
    trace: ActiveTrace | None, trace_id: str, assessment_id: str
) -> dict[str, Any] | None:
    """Return what is said of an open trace, or None where the trace is not open.

    Raises `NotFoundError` where the trace is open and has no such judgement.
    """
    if trace is None or trace.is_closed:
        return None
    form = (trace.assessments or {}).get(assessment_id)
    if form is None or form.get("deleted"):
        raise NotFoundError(
            f"Assessment with ID '{assessment_id}' not found for trace '{trace_id}'."
        )
    return form
