/**
 * A JSON value as rows: only what is opened is walked, so 5 MB cost what is seen of them. A text
 * that holds JSON opens like a value. Paths are JSONPath: `$.messages[0]['a b']`.
 */

import type { Json } from "../api/types";

export interface JsonRow {
  path: string;
  depth: number;
  /** The member's name or the place in the list; null for the value itself. */
  key: string | null;
  value: Json;
  /** How many it holds; null for a value that can't be opened. */
  size: number | null;
  isOpen: boolean;
  /** The value was JSON inside a text. */
  isText: boolean;
  /** This row stands for so many members that are not listed yet. */
  more: number;
}

export const PAGE = 200;
const LONGEST_PARSED = 1_000_000;
const OPENED_AT_FIRST = 40;
const MOST_OPENED = 2000;

type Container = readonly Json[] | { readonly [key: string]: Json };

const parsed = new Map<string, Container | null>();
const MOST_PARSED = 500;

/** The list or object that a value is or, as JSON text, holds. */
export function containerOf(value: Json): Container | null {
  if (typeof value === "object") return value;
  if (typeof value !== "string" || value.length > LONGEST_PARSED) return null;
  if (!/^\s*[[{]/.test(value)) return null;
  const known = parsed.get(value);
  if (known !== undefined) return known;
  let held: Container | null = null;
  try {
    const read = JSON.parse(value) as Json;
    held = typeof read === "object" ? read : null;
  } catch {
    // A text that only begins like JSON.
  }
  if (parsed.size >= MOST_PARSED) parsed.clear();
  parsed.set(value, held);
  return held;
}

function sizeOf(container: Container): number {
  return Array.isArray(container) ? container.length : Object.keys(container).length;
}

function listMembers(container: Container, most: number): [string, Json][] {
  if (Array.isArray(container)) {
    return (container as readonly Json[]).slice(0, most).map((value, index) => [String(index), value]);
  }
  return Object.entries(container as { readonly [key: string]: Json }).slice(0, most);
}

export function writePath(path: string, key: string, isList: boolean): string {
  if (isList) return `${path}[${key}]`;
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}

/** The rows in sight: members of what is open, at most `shown` (by default 200) of each. */
export function listJsonRows(
  value: Json,
  open: ReadonlySet<string>,
  shown: ReadonlyMap<string, number>,
): JsonRow[] {
  const rows: JsonRow[] = [];
  const waiting: JsonRow[] = [makeRow("$", 0, null, value, open)];
  for (let row = waiting.pop(); row !== undefined; row = waiting.pop()) {
    rows.push(row);
    const held = row.more > 0 || !row.isOpen ? null : containerOf(row.value);
    if (held === null) continue;
    const { path, depth } = row;
    const most = shown.get(path) ?? PAGE;
    const isList = Array.isArray(held);
    const below = listMembers(held, most).map(([key, member]) =>
      makeRow(writePath(path, key, isList), depth + 1, key, member, open),
    );
    const more = (row.size ?? 0) - below.length;
    if (more > 0) below.push({ ...row, path: `${path} more`, depth: depth + 1, key: null, more });
    for (const one of below.toReversed()) waiting.push(one);
  }
  return rows;
}

function makeRow(
  path: string,
  depth: number,
  key: string | null,
  value: Json,
  open: ReadonlySet<string>,
): JsonRow {
  const held = containerOf(value);
  const size = held === null ? null : sizeOf(held);
  const isOpen = size !== null && size > 0 && open.has(path);
  return { path, depth, key, value, size, isOpen, isText: held !== null && typeof value === "string", more: 0 };
}

/** What is open at first: level after level, while it stays a short list; JSON texts stay shut. */
export function chooseOpen(value: Json, most: number = OPENED_AT_FIRST): Set<string> {
  const open = new Set<string>();
  let rows = 1;
  let level: { path: string; value: Json }[] = [{ path: "$", value }];
  while (level.length > 0) {
    const next: typeof level = [];
    for (const one of level) {
      const held = typeof one.value === "string" && one.path !== "$" ? null : containerOf(one.value);
      if (held === null) continue;
      const count = Math.min(PAGE, sizeOf(held));
      if (rows + count > most && one.path !== "$") return open;
      rows += count;
      open.add(one.path);
      const isList = Array.isArray(held);
      for (const [key, member] of listMembers(held, PAGE)) {
        next.push({ path: writePath(one.path, key, isList), value: member });
      }
    }
    level = next;
  }
  return open;
}

/** Everything, up to 2,000 rows. */
export function openAll(value: Json): Set<string> {
  return chooseOpen(value, MOST_OPENED);
}

export interface JsonHit {
  path: string;
  /** The paths above it, which have to be open for it to be seen. */
  above: readonly string[];
  /** For each of them the place of the member that leads on. */
  places: readonly number[];
}

interface Visit {
  path: string;
  key: string;
  value: Json;
  above: readonly string[];
  places: readonly number[];
}

/** Where a text stands in names or values, in order; at most `most` places. */
export function findInJson(value: Json, text: string, most: number): JsonHit[] {
  const wanted = text.trim().toLowerCase();
  const hits: JsonHit[] = [];
  if (wanted === "") return hits;
  const waiting: Visit[] = [{ path: "$", key: "", value, above: [], places: [] }];
  for (let one = waiting.pop(); one !== undefined && hits.length < most; one = waiting.pop()) {
    const { path, above, places } = one;
    const held = containerOf(one.value);
    const plain = held === null ? String(one.value) : "";
    if (one.key.toLowerCase().includes(wanted) || plain.toLowerCase().includes(wanted)) {
      hits.push({ path, above, places });
    }
    if (held === null) continue;
    const isList = Array.isArray(held);
    const members = listMembers(held, Infinity);
    for (let place = members.length - 1; place >= 0; place -= 1) {
      const [key, member] = members[place] ?? ["", null];
      waiting.push({
        path: writePath(path, key, isList),
        key: isList ? "" : key,
        value: member,
        above: [...above, path],
        places: [...places, place],
      });
    }
  }
  return hits;
}
