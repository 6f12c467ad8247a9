/**
 * The facet sidebar's clicks, as changes of the filter text: there is one state, the filter.
 *
 * A field's included values are one condition (`f = 'a'`, `f IN ('a', 'b')`), its excluded ones
 * another (`NOT f = 'a'`: it keeps traces without the field, which `f != 'a'` would not).
 */

import { quoteValue, splitConditions } from "./filter";
import { type Piece, splitFilter } from "./filterSyntax";

export interface Picked {
  included: ReadonlySet<string>;
  excluded: ReadonlySet<string>;
  /** Traces without the field. */
  missing: "included" | "excluded" | null;
}

export type Mode = "include" | "exclude";

const OTHER_NAMES: Readonly<Record<string, string>> = {
  status: "state",
  "metadata.environment": "environment",
  "metadata.app_version": "app_version",
  "metadata.mlflow.source.git.commit": "commit",
  "metadata.mlflow.source.git.branch": "branch",
  "metadata.mlflow.trace.session": "session",
  "metadata.mlflow.trace.user": "user",
};

/** One name for each field, however it is written. */
export function nameField(field: string): string {
  const plain = field
    .replaceAll("`", "")
    .replace(/^(trace|attributes?)\./, "")
    .replace(/^request_metadata\./, "metadata.")
    .replace(/^tag\./, "tags.");
  return OTHER_NAMES[plain] ?? plain;
}

interface Condition {
  field: string;
  mode: Mode;
  /** null: the field is missing. */
  values: readonly string[] | null;
}

/** Read one condition of the forms that the sidebar writes; null for any other. */
export function readCondition(text: string): Condition | null {
  const pieces = splitFilter(text);
  let mode: Mode = "include";
  if (isWord(pieces[0], "NOT")) {
    mode = "exclude";
    pieces.shift();
  }
  const [named, ...rest] = pieces;
  if (named?.kind !== "field" || named.isOpen) return null;
  const field = nameField(named.text);
  if (isWord(rest[0], "IS")) return readPresence(field, mode, rest);
  if (isWord(rest[0], "NOT")) {
    mode = flip(mode);
    rest.shift();
    if (!isWord(rest[0], "IN")) return null;
  }
  const [operator, ...values] = rest;
  if (operator?.text === "=" || operator?.text === "!=") {
    const [value] = values;
    if (values.length !== 1 || value === undefined || !isClosed(value)) return null;
    const inOrOut = operator.text === "=" ? mode : flip(mode);
    return { field, mode: inOrOut, values: [unquote(value)] };
  }
  if (!isWord(operator, "IN")) return null;
  return readList(field, mode, values);
}

function readPresence(field: string, mode: Mode, rest: readonly Piece[]): Condition | null {
  const isNegated = isWord(rest[1], "NOT");
  const last = rest[isNegated ? 2 : 1];
  if (!isWord(last, "NULL") || rest.length !== (isNegated ? 3 : 2)) return null;
  return { field, mode: isNegated ? flip(mode) : mode, values: null };
}

function readList(field: string, mode: Mode, pieces: readonly Piece[]): Condition | null {
  if (pieces[0]?.text !== "(" || pieces.at(-1)?.text !== ")") return null;
  const inside = pieces.slice(1, -1);
  const isWhole = inside.every((piece, index) =>
    index % 2 === 0 ? isClosed(piece) : piece.text === ",",
  );
  if (!isWhole || inside.length % 2 === 0) return null;
  return { field, mode, values: inside.filter((_, index) => index % 2 === 0).map(unquote) };
}

function isWord(piece: Piece | undefined, word: string): boolean {
  return piece?.kind === "keyword" && piece.text.toUpperCase() === word;
}

function isClosed(piece: Piece): boolean {
  return piece.kind === "string" && !piece.isOpen;
}

function unquote(piece: Piece): string {
  return piece.text.slice(1, -1);
}

function flip(mode: Mode): Mode {
  return mode === "include" ? "exclude" : "include";
}

/** Which values of a field the filter includes and excludes. */
export function readPicked(filter: string, field: string): Picked {
  const included = new Set<string>();
  const excluded = new Set<string>();
  let missing: Picked["missing"] = null;
  const wanted = nameField(field);
  for (const text of splitConditions(filter) ?? []) {
    const found = readCondition(text);
    if (found === null || found.field !== wanted) continue;
    if (found.values === null) missing = found.mode === "include" ? "included" : "excluded";
    else for (const value of found.values) (found.mode === "include" ? included : excluded).add(value);
  }
  return { included, excluded, missing };
}

/**
 * The filter after a click on a value (null: "has none"): a second click takes it away again.
 * Returns null where the language can't write it: a value with both kinds of quotes.
 */
export function togglePicked(
  filter: string,
  field: string,
  value: string | null,
  mode: Mode,
): string | null {
  const picked = readPicked(filter, field);
  const included = new Set(picked.included);
  const excluded = new Set(picked.excluded);
  let { missing } = picked;
  if (value === null) {
    const wanted = mode === "include" ? "included" : "excluded";
    missing = missing === wanted ? null : wanted;
    if (missing === "included") included.clear();
  } else {
    const [own, other] = mode === "include" ? [included, excluded] : [excluded, included];
    other.delete(value);
    if (!own.delete(value)) own.add(value);
    if (mode === "include" && missing === "included") missing = null;
  }
  const written = writeConditions(field, { included, excluded, missing });
  return written === null ? null : replaceConditions(filter, field, written);
}

function writeConditions(field: string, { included, excluded, missing }: Picked): string[] | null {
  const written: string[] = [];
  for (const [values, before] of [
    [included, ""],
    [excluded, "NOT "],
  ] as const) {
    const quoted = [...values].map(quoteValue);
    if (quoted.includes(null)) return null;
    if (quoted.length === 1) written.push(`${before}${field} = ${quoted[0]}`);
    if (quoted.length > 1) written.push(`${before}${field} IN (${quoted.join(", ")})`);
  }
  if (missing !== null) written.push(`${field} IS ${missing === "included" ? "" : "NOT "}NULL`);
  return written;
}

/** Put conditions where the field's old ones stood, or at the end. */
function replaceConditions(filter: string, field: string, written: readonly string[]): string {
  const present = splitConditions(filter);
  if (present === null) return [`(${filter.trim()})`, ...written].join(" AND ");
  const wanted = nameField(field);
  const isOwn = (text: string): boolean => readCondition(text)?.field === wanted;
  const at = present.findIndex(isOwn);
  const kept = present.filter((text) => !isOwn(text));
  kept.splice(at < 0 ? kept.length : at, 0, ...written);
  return kept.join(" AND ");
}

/** The filter without anything about a field. */
export function clearPicked(filter: string, field: string): string {
  return splitConditions(filter) === null ? filter : replaceConditions(filter, field, []);
}
