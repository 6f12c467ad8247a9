/** A trace's context as rows to show: what answers "where did this come from?" stands first. */

import type { TraceInfo } from "../api/types";
import { equals, metadataEquals, tagEquals } from "./filter";

export interface ContextRow {
  label: string;
  value: string;
  /** The condition that finds traces with the same value; null where the language can't say it. */
  condition: string | null;
  note?: string;
}

const ENVIRONMENT_KEY = "environment";
const TRUNCATED_KEY = "whence.truncated";
const LONGEST_CONDITION_VALUE = 300;

/** The keys behind the rows that come first; they are not listed a second time. */
const FIRST_KEYS = new Set([
  ENVIRONMENT_KEY,
  "app_version",
  "mlflow.source.git.commit",
  "mlflow.source.git.branch",
  "mlflow.trace.session",
  "mlflow.trace.user",
]);

/** Environment, version, commit, branch, session, user: those that are known, in this order. */
export function listFirstContext(info: TraceInfo): ContextRow[] {
  const fields = ["environment", "app_version", "commit", "branch", "session", "user"] as const;
  const rows: ContextRow[] = [];
  for (const field of fields) {
    const value = info[field];
    if (value === null) continue;
    const row: ContextRow = { label: field, value, condition: equals(field, value) };
    const verbatim = info.trace_metadata[ENVIRONMENT_KEY];
    if (field === "environment" && verbatim !== undefined && verbatim !== value) {
      row.note = `recorded as ${verbatim}`;
    }
    rows.push(row);
  }
  return rows;
}

/** Every other metadata key, in alphabetical order. */
export function listOtherMetadata(info: TraceInfo): ContextRow[] {
  const cut = new Set((info.trace_metadata[TRUNCATED_KEY] ?? "").split(","));
  return Object.entries(info.trace_metadata)
    .filter(([key]) => !FIRST_KEYS.has(key))
    .toSorted(byKey)
    .map(([key, value]) => {
      const isShort = value.length <= LONGEST_CONDITION_VALUE && !cut.has(key);
      const row: ContextRow = {
        label: key,
        value,
        condition: isShort ? metadataEquals(key, value) : null,
      };
      return cut.has(key) ? { ...row, note: "cut: the value was longer" } : row;
    });
}

export function listTags(info: TraceInfo): ContextRow[] {
  return Object.entries(info.tags)
    .toSorted(byKey)
    .map(([key, value]) => ({ label: key, value, condition: tagEquals(key, value) }));
}

function byKey([left]: [string, string], [right]: [string, string]): number {
  return left < right ? -1 : Number(left > right);
}
