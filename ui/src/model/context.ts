/** A trace's context as rows to show: what answers "where did this come from?" stands first. */

import type { TraceInfo } from "../api/types";
import { equals, metadataEquals, tagEquals } from "./filter";
import { findCommitPage } from "./repository";

export interface ContextRow {
  label: string;
  value: string;
  /** The condition that finds traces with the same value; null where the language can't say it. */
  condition: string | null;
  note?: string;
  /** What is copied, where `value` is cut for showing. */
  whole?: string;
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
const SOURCE_NAME_KEY = "mlflow.source.name";
const SOURCE_TYPE_KEY = "mlflow.source.type";
const FIRST_KEYS = new Set<string>([
  ...FIRST_FIELDS.map(([, key]) => key),
  SOURCE_NAME_KEY,
  SOURCE_TYPE_KEY,
]);
const REPOSITORY_KEY = "mlflow.source.git.repoURL";
const DIRTY_KEY = "whence.git.dirty";
const DIRTY_HASH_KEY = "whence.git.dirty_hash";

type Provenance = Readonly<Record<string, string | undefined>>;

/** Environment, version, commit, branch, source, session, user: those that are known, in this order. */
export function listFirstContext(info: TraceInfo): ContextRow[] {
  const rows: ContextRow[] = [];
  for (const [field, key] of FIRST_FIELDS) {
    if (field === "session") rows.push(...listSource(info));
    const value = info[field];
    if (value === null) continue;
    const verbatim = info.trace_metadata[key];
    const isChanged = verbatim !== undefined && verbatim !== value;
    const row = { label: field, value, condition: equals(field, value) };
    rows.push(addNote(row, isChanged ? `recorded as ${verbatim}` : "", info.provenance[key]));
  }
  return rows;
}

/** What ran: the program's name, and the kind of thing it was started as. */
function listSource(info: TraceInfo): ContextRow[] {
  const name = info.trace_metadata[SOURCE_NAME_KEY];
  const type = info.trace_metadata[SOURCE_TYPE_KEY];
  const key = name === undefined ? SOURCE_TYPE_KEY : SOURCE_NAME_KEY;
  const value = name ?? type;
  if (value === undefined) return [];
  const isShort = value.length <= LONGEST_CONDITION_VALUE;
  const row = { label: "source", value, condition: isShort ? metadataEquals(key, value) : null };
  const remark = name === undefined ? "" : (type ?? "");
  return [addNote(row, remark, (info.provenance as Provenance)[key])];
}

export interface Code {
  /** The commit at its repository host; null where either is unknown. */
  commitPage: string | null;
  isDirty: boolean;
  dirtyHash: string | null;
}

/** What is known of the code beyond its names. */
export function readCode(info: Pick<TraceInfo, "commit" | "trace_metadata">): Code {
  const repository = info.trace_metadata[REPOSITORY_KEY];
  const { commit } = info;
  return {
    commitPage: repository === undefined || commit === null ? null : findCommitPage(repository, commit),
    isDirty: info.trace_metadata[DIRTY_KEY] === "true",
    dirtyHash: info.trace_metadata[DIRTY_HASH_KEY] ?? null,
  };
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
