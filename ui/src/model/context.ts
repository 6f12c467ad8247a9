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

/** The fields that come first, and the metadata keys behind them, not listed a second time. */
const FIRST_FIELDS = [
  ["environment", ENVIRONMENT_KEY],
  ["app_version", "app_version"],
  ["commit", "mlflow.source.git.commit"],
  ["branch", "mlflow.source.git.branch"],
  ["session", "mlflow.trace.session"],
  ["user", "mlflow.trace.user"],
] as const;
const FIRST_KEYS = new Set<string>(FIRST_FIELDS.map(([, key]) => key));

/** Environment, version, commit, branch, session, user: those that are known, in this order. */
export function listFirstContext(info: TraceInfo): ContextRow[] {
  const rows: ContextRow[] = [];
  for (const [field, key] of FIRST_FIELDS) {
    const value = info[field];
    if (value === null) continue;
    const verbatim = info.trace_metadata[key];
    const isChanged = verbatim !== undefined && verbatim !== value;
    const row = { label: field, value, condition: equals(field, value) };
    rows.push(addNote(row, isChanged ? `recorded as ${verbatim}` : "", info.provenance[key]));
  }
  return rows;
}

/** Say in small print what is particular about a value, and where it is from. */
function addNote(row: ContextRow, remark: string, source: string | undefined): ContextRow {
  const note = [remark, source].filter(Boolean).join(" · ");
  return note === "" ? row : { ...row, note };
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
      const remark = cut.has(key) ? "cut: the value was longer" : "";
      return addNote(row, remark, info.provenance[key]);
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
