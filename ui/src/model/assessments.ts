/** Judgements of a trace: what holds, what it replaced, and the values that people type. */

import type { Assessment, Json } from "../api/types";

export interface Judged {
  current: Assessment;
  /** What it replaced, the newest first. */
  history: Assessment[];
}

export type JudgementKind = "feedback" | "expectation" | "issue";

export function kindOf(assessment: Assessment): JudgementKind {
  if (assessment.feedback !== undefined) return "feedback";
  return assessment.expectation === undefined ? "issue" : "expectation";
}

export function valueOf(assessment: Assessment): Json {
  const judged = assessment.feedback ?? assessment.expectation;
  if (judged === undefined) return (assessment.issue?.issue_name ?? null) as Json;
  if (judged.serialized_value !== undefined) {
    try {
      return JSON.parse(judged.serialized_value.value) as Json;
    } catch {
      return judged.serialized_value.value;
    }
  }
  return (judged.value ?? null) as Json;
}

/** Each judgement that holds with those it replaced, by name; one that replaced nothing stands alone. */
export function listJudged(assessments: readonly Assessment[]): Judged[] {
  const byId = new Map(assessments.map((one) => [one.assessment_id, one]));
  const replaced = new Set(assessments.map((one) => one.overrides));
  return assessments
    .filter((one) => one.valid || !replaced.has(one.assessment_id))
    .map((current) => {
      const history: Assessment[] = [];
      const seen = new Set([current.assessment_id]);
      let id = current.overrides;
      while (id !== undefined && !seen.has(id)) {
        seen.add(id);
        const older = byId.get(id);
        if (older === undefined) break;
        history.push(older);
        id = older.overrides;
      }
      return { current, history };
    })
    .toSorted(
      (left, right) =>
        compare(left.current.assessment_name, right.current.assessment_name) ||
        compare(left.current.create_time, right.current.create_time),
    );
}

function compare(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}

/** What was typed as a value: JSON where it reads as JSON, else the text itself. */
export function readTyped(typed: string): Json {
  const text = typed.trim();
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

/** The text that `readTyped` reads as this value. */
export function writeTyped(value: Json): string {
  if (typeof value !== "string") return JSON.stringify(value);
  return readTyped(value) === value ? value : JSON.stringify(value);
}
