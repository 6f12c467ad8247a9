/** Judgements of the trace and its spans: given, changed, deleted, each with what it replaced. */

import { useState } from "react";

import { deleteAssessment, logAssessment, updateAssessment } from "../../api/changes";
import type { Assessment, Span } from "../../api/types";
import { type Judged, kindOf, listJudged, valueOf } from "../../model/assessments";
import { toLine } from "../../model/json";
import { equals, quoteKey } from "../../model/filter";
import { Link } from "../../router";
import { buildTracesUrl } from "../traces/url";
import { AssessmentForm, type Draft, writeDraft } from "./AssessmentForm";
import styles from "./Edits.module.css";
import { buildTraceUrl } from "./url";
import { useChange } from "./useChange";

const LONGEST_VALUE = 400;
const LONGEST_CONDITION = 200;

interface AssessmentsViewProps {
  traceId: string;
  assessments: readonly Assessment[];
  span: Span | null;
}

export function AssessmentsView({ traceId, assessments, span }: AssessmentsViewProps) {
  const judged = listJudged(assessments);
  const [isAdding, setAdding] = useState(judged.length === 0);
  const change = useChange(traceId);
  const add = (draft: Draft): void =>
    change.run(
      () => logAssessment(traceId, writeDraft(draft, draft.isAboutSpan ? (span?.span_id ?? null) : null)),
      () => setAdding(false),
    );
  return (
    <div className={styles.panel}>
      <section className={styles.section} aria-label="Assessments">
        <header>
          <h3>Feedback and expectations</h3>
          {isAdding ? null : (
            <button type="button" className={styles.tool} onClick={() => setAdding(true)}>
              Add
            </button>
          )}
        </header>
        {change.problem === null ? null : (
          <p className={styles.problem} role="alert">
            {change.problem}
          </p>
        )}
        {isAdding ? (
          <AssessmentForm
            span={span}
            isBusy={change.isBusy}
            onSave={add}
            onCancel={judged.length === 0 ? null : () => setAdding(false)}
          />
        ) : null}
        {judged.map((one) => (
          <JudgementRow key={one.current.assessment_id} traceId={traceId} judged={one} span={span} />
        ))}
      </section>
    </div>
  );
}

interface JudgementRowProps {
  traceId: string;
  judged: Judged;
  span: Span | null;
}

function JudgementRow({ traceId, judged: { current, history }, span }: JudgementRowProps) {
  const [mode, setMode] = useState<"shown" | "edited" | "asked">("shown");
  const change = useChange(traceId);
  const kind = kindOf(current);
  const condition = conditionOf(current);
  const isElsewhere = current.span_id !== undefined && current.span_id !== span?.span_id;
  const save = (draft: Draft): void =>
    change.run(
      () => saveEdit(traceId, current, draft),
      () => setMode("shown"),
    );
  if (mode === "edited") {
    return (
      <AssessmentForm edited={current} span={span} isBusy={change.isBusy} onSave={save} onCancel={() => setMode("shown")} />
    );
  }
  return (
    <article className={styles.judged} aria-label={current.assessment_name}>
      <div className={styles.head}>
        <strong>{current.assessment_name}</strong>
        <span className={styles.kind}>{kind}</span>
        {isElsewhere ? (
          <Link href={buildTraceUrl({ traceId, spanId: current.span_id ?? null, tab: "assessments" })}>of a span</Link>
        ) : null}
        <span className={styles.actions}>
          {condition === null ? null : (
            <Link href={buildTracesUrl({ filter: condition })} title={`Traces where ${condition}`}>
              Filter by this
            </Link>
          )}
          {kind === "issue" ? null : (
            <button type="button" className={styles.tool} onClick={() => setMode("edited")}>
              Edit
            </button>
          )}
          <button type="button" className={styles.tool} onClick={() => setMode("asked")}>
            Delete
          </button>
        </span>
      </div>
      <Verdict assessment={current} />
      {mode === "asked" ? (
        <p className={styles.ask} role="alertdialog" aria-label={`Delete ${current.assessment_name}?`}>
          Delete it{history.length > 0 ? "; the one before it holds again" : ""}?
          <button
            type="button"
            className="quiet-button"
            disabled={change.isBusy}
            onClick={() => change.run(() => deleteAssessment(traceId, current.assessment_id))}
          >
            Delete {current.assessment_name}
          </button>
          <button type="button" className="quiet-button" onClick={() => setMode("shown")}>
            Keep it
          </button>
        </p>
      ) : null}
      {change.problem === null ? null : (
        <p className={styles.problem} role="alert">
          {change.problem}
        </p>
      )}
      {history.length === 0 ? null : (
        <details className={styles.history}>
          <summary>{history.length === 1 ? "1 earlier" : `${history.length} earlier`}</summary>
          {history.map((one) => (
            <Verdict key={one.assessment_id} assessment={one} />
          ))}
        </details>
      )}
    </article>
  );
}

function Verdict({ assessment }: { assessment: Assessment }) {
  const value = valueOf(assessment);
  const error = assessment.feedback?.error;
  const source = assessment.source.source_id || assessment.source.source_type.toLowerCase();
  return (
    <div className={styles.verdict}>
      <p className={styles.given} data-value={typeof value === "boolean" ? String(value) : undefined}>
        {typeof value === "boolean" ? <Mark isGood={value} /> : null}
        <bdi>{toLine(value, LONGEST_VALUE)}</bdi>
      </p>
      {error === undefined ? null : (
        <p className={styles.problem}>{toLine(error as Parameters<typeof toLine>[0], LONGEST_VALUE)}</p>
      )}
      {assessment.rationale === undefined || assessment.rationale === "" ? null : (
        <p className={styles.rationale} dir="auto">
          {assessment.rationale}
        </p>
      )}
      <p className={styles.by} title={assessment.create_time}>
        {source} · {assessment.create_time.slice(0, 16).replace("T", " ")} UTC
      </p>
    </div>
  );
}

function Mark({ isGood }: { isGood: boolean }) {
  return (
    <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
      <path d={isGood ? "M2.2 6.4l2.5 2.5 5-5.6" : "M3 3l6 6M9 3l-6 6"} />
    </svg>
  );
}

/** Another value or judge is a new judgement that replaces this one; the rest is changed in place. */
async function saveEdit(traceId: string, old: Assessment, draft: Draft): Promise<unknown> {
  const written = writeDraft(draft, old.span_id ?? null);
  const isSame =
    JSON.stringify(valueOf(old)) === JSON.stringify(draft.value) &&
    draft.by === old.source.source_id &&
    draft.kind === kindOf(old);
  if (!isSame && draft.kind === "feedback") {
    return logAssessment(traceId, { ...written, overrides: old.assessment_id });
  }
  const { assessment_name, rationale, feedback, expectation } = written;
  return updateAssessment(traceId, old.assessment_id, {
    assessment: { assessment_name, rationale, ...(feedback === undefined ? { expectation } : { feedback }) },
    update_mask: ["assessment_name", "rationale", draft.kind],
  });
}

function conditionOf(assessment: Assessment): string | null {
  const kind = kindOf(assessment);
  const key = quoteKey(assessment.assessment_name);
  const value = valueOf(assessment);
  if (kind === "issue" || key === null || typeof value === "object") return null;
  if (typeof value === "number") return `${kind}.${key} = ${value}`;
  const text = String(value);
  return text.length > LONGEST_CONDITION ? null : equals(`${kind}.${key}`, text);
}
