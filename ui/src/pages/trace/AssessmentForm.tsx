/** What people type of a judgement. */

import { type FormEvent, useState } from "react";

import type { Assessment, Json, Span } from "../../api/types";
import { useKept } from "../../kept";
import { kindOf, readTyped, valueOf, writeTyped } from "../../model/assessments";
import styles from "./Edits.module.css";

const JUDGE = "whence.judge";
const LONGEST_NAME = 250;

export interface Draft {
  kind: "feedback" | "expectation";
  name: string;
  value: Json;
  rationale: string;
  /** Who judges. */
  by: string;
  isAboutSpan: boolean;
}

/** What the server takes: MLflow's JSON. */
export interface WrittenAssessment {
  assessment_name: string;
  source: { source_type: string; source_id: string };
  rationale?: string;
  span_id?: string;
  feedback?: { value: Json };
  expectation?: { value?: Json; serialized_value?: { serialization_format: string; value: string } };
  overrides?: string;
}

export function writeDraft(draft: Draft, spanId: string | null): WrittenAssessment {
  const isStructured = typeof draft.value === "object" && draft.value !== null;
  const serialized = { serialization_format: "JSON_FORMAT", value: JSON.stringify(draft.value) };
  return {
    assessment_name: draft.name,
    source: { source_type: "HUMAN", source_id: draft.by },
    ...(draft.rationale.trim() === "" ? {} : { rationale: draft.rationale }),
    ...(spanId === null ? {} : { span_id: spanId }),
    ...(draft.kind === "feedback"
      ? { feedback: { value: draft.value } }
      : { expectation: isStructured ? { serialized_value: serialized } : { value: draft.value } }),
  };
}

interface AssessmentFormProps {
  edited?: Assessment;
  span: Span | null;
  isBusy: boolean;
  onSave: (draft: Draft) => void;
  onCancel: (() => void) | null;
}

export function AssessmentForm({ edited, span, isBusy, onSave, onCancel }: AssessmentFormProps) {
  const [keptJudge, keepJudge] = useKept(JUDGE);
  const isExpected = edited !== undefined && kindOf(edited) === "expectation";
  const [kind, setKind] = useState<Draft["kind"]>(isExpected ? "expectation" : "feedback");
  const [name, setName] = useState(edited?.assessment_name ?? "helpful");
  const [typed, setTyped] = useState(edited === undefined ? "" : writeTyped(valueOf(edited)));
  const [rationale, setRationale] = useState(edited?.rationale ?? "");
  const [by, setBy] = useState(edited?.source.source_id ?? keptJudge ?? "");
  const [isAboutSpan, setAboutSpan] = useState(span !== null);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    keepJudge(by);
    onSave({ kind, name: name.trim(), value: readTyped(typed), rationale, by: by.trim() || "default", isAboutSpan });
  };
  return (
    <form className={styles.form} onSubmit={submit} aria-label={edited === undefined ? "New assessment" : `Edit ${edited.assessment_name}`}>
      <div className={styles.pair}>
        <label>
          Kind
          <select value={kind} disabled={edited !== undefined} onChange={(event) => setKind(event.target.value as Draft["kind"])}>
            <option value="feedback">Feedback</option>
            <option value="expectation">Expectation</option>
          </select>
        </label>
        <label>
          Name
          <input value={name} maxLength={LONGEST_NAME} onChange={(event) => setName(event.target.value)} />
        </label>
      </div>
      <fieldset className={styles.quick}>
        <legend className="visually-hidden">Quick values</legend>
        {kind === "feedback"
          ? (["true", "false"] as const).map((one) => (
              <button key={one} type="button" aria-pressed={typed.trim() === one} onClick={() => setTyped(one)}>
                {one === "true" ? "Good" : "Bad"}
              </button>
            ))
          : null}
        <label>
          <span className="visually-hidden">Value</span>
          <input
            value={typed}
            placeholder={kind === "feedback" ? "or a number, a text" : "What would have been right"}
            onChange={(event) => setTyped(event.target.value)}
          />
        </label>
      </fieldset>
      <label>
        Rationale
        <textarea rows={2} value={rationale} onChange={(event) => setRationale(event.target.value)} />
      </label>
      <label>
        Judge
        <input value={by} placeholder="your name" onChange={(event) => setBy(event.target.value)} />
      </label>
      {span === null || edited !== undefined ? null : (
        <label className={styles.check}>
          <input type="checkbox" checked={isAboutSpan} onChange={(event) => setAboutSpan(event.target.checked)} />
          Only about the span {span.name}
        </label>
      )}
      <div className={styles.buttons}>
        <button type="submit" className="solid-button" disabled={isBusy || name.trim() === "" || typed.trim() === ""}>
          {edited === undefined ? `Add ${kind}` : "Save"}
        </button>
        {onCancel === null ? null : (
          <button type="button" className="quiet-button" onClick={onCancel}>
            Cancel
          </button>
        )}
      </div>
    </form>
  );
}
