/** A session as a conversation: its traces in the order they began, and what changed between two. */

import type { TraceInfo } from "../api/types";

export interface Turn {
  info: TraceInfo;
  /** What differs from the trace before it in the conversation; empty for the first. */
  changes: readonly Change[];
  /** From the end of the trace before it, in milliseconds; null for the first and while that runs. */
  pauseMs: number | null;
}

export interface Change {
  what: "version" | "environment" | "commit" | "user";
  from: string | null;
  to: string | null;
}

const NS_PER_MS = 1e6;
const FOLLOWED = [
  ["version", "app_version"],
  ["environment", "environment"],
  ["commit", "commit"],
  ["user", "user"],
] as const;

export function listTurns(traces: readonly TraceInfo[]): Turn[] {
  return traces.map((info, index) => {
    const before = traces[index - 1];
    if (before === undefined) return { info, changes: [], pauseMs: null };
    return { info, changes: listChanges(before, info), pauseMs: pauseBetween(before, info) };
  });
}

function listChanges(before: TraceInfo, after: TraceInfo): Change[] {
  return FOLLOWED.flatMap(([what, field]) =>
    before[field] === after[field] ? [] : [{ what, from: before[field], to: after[field] }],
  );
}

function pauseBetween(before: TraceInfo, after: TraceInfo): number | null {
  if (before.duration_ns === null) return null;
  return after.request_time_ms - before.request_time_ms - before.duration_ns / NS_PER_MS;
}

/** Pauses that are worth a line: a minute and more. */
export function isLongPause(pauseMs: number | null): pauseMs is number {
  return pauseMs !== null && pauseMs >= 60_000;
}

/** Arguments and results that hold what was said, the likeliest first. */
const SAID_IN =
  "question query prompt user_input user_message message input inputs answer reply response output outputs result content text".split(
    " ",
  );
const CUT = "...";
const STARTED_STRING = /^\s*"((?:[^"\\]|\\.)*\\?)$/s;
const STARTED_ENTRY = /"((?:[^"\\]|\\.)*)"\s*:\s*"((?:[^"\\]|\\.)*\\?)("|$)/gs;

/**
 * What a preview says, without the JSON around it: the text of a string, or the entry of an object
 * that holds what was said. Previews end after 1000 characters, so JSON may be cut. Anything else
 * stays as it is.
 */
export function readSaid(preview: string): string {
  const first = preview.trimStart().charAt(0);
  if (first !== '"' && first !== "{") return preview;
  try {
    const value: unknown = JSON.parse(preview);
    return typeof value === "string" ? value : (readEntry(Object.entries(value ?? {})) ?? preview);
  } catch {
    return preview.endsWith(CUT) ? readCut(preview.slice(0, -CUT.length)) : preview;
  }
}

function readCut(text: string): string {
  const started = STARTED_STRING.exec(text)?.[1];
  if (started !== undefined) return unescape(started) + CUT;
  const entries = [...text.matchAll(STARTED_ENTRY)].map(
    ([, key = "", value = "", end]): [string, string] => [
      unescape(key),
      unescape(value) + (end === "" ? CUT : ""),
    ],
  );
  return readEntry(entries) ?? text + CUT;
}

function readEntry(entries: readonly (readonly [string, unknown])[]): string | null {
  const texts = entries.filter((one): one is [string, string] => typeof one[1] === "string");
  if (entries.length === 1 && texts[0] !== undefined) return texts[0][1];
  const said = new Map(texts);
  const name = SAID_IN.find((one) => said.has(one));
  return name === undefined ? null : (said.get(name) ?? null);
}

function unescape(text: string): string {
  // The cut may have gone through an escape.
  for (const less of [0, 1, 2, 3, 4, 5]) {
    try {
      return JSON.parse(`"${text.slice(0, text.length - less)}"`) as string;
    } catch {
      continue;
    }
  }
  return text;
}
