/** The live tail: reading server-sent events, and joining what arrives with what is listed. */

import type { TraceInfo } from "../api/types";

/** Split a stream's text into the data of its events and what is not yet complete. */
export function readEvents(text: string): { events: string[]; rest: string } {
  const blocks = text.replaceAll("\r\n", "\n").split("\n\n");
  const rest = blocks.pop() ?? "";
  const events = blocks.flatMap((block) => {
    const data = block
      .split("\n")
      .filter((line) => line.startsWith("data:"))
      .map((line) => line.slice(5).replace(/^ /, ""));
    return data.length === 0 ? [] : [data.join("\n")];
  });
  return { events, rest };
}

export interface Arrivals {
  /** In the list already, newer than what the pages say. */
  shown: ReadonlyMap<string, TraceInfo>;
  /** Held back while the reader looks at the rows. */
  waiting: ReadonlyMap<string, TraceInfo>;
  /** When new traces came, in ms of the browser's clock; the last ten seconds. */
  times: readonly number[];
}

export const NO_ARRIVALS: Arrivals = { shown: new Map(), waiting: new Map(), times: [] };
export const RATE_MS = 10_000;
const MOST_KEPT = 2_000;

/** Take one trace in. `isHeld`: rows must not move, so a new trace waits. */
export function arrive(
  now: Arrivals,
  info: TraceInfo,
  isListed: boolean,
  isHeld: boolean,
  nowMs: number,
): Arrivals {
  if (isListed || now.shown.has(info.trace_id)) {
    return { ...now, shown: new Map(now.shown).set(info.trace_id, info) };
  }
  const isNew = !now.waiting.has(info.trace_id);
  const times = isNew ? [...recent(now.times, nowMs), nowMs] : now.times;
  if (isHeld) return { ...now, times, waiting: keepNewest(now.waiting, info) };
  return { ...now, times, shown: keepNewest(now.shown, info) };
}

function keepNewest(kept: ReadonlyMap<string, TraceInfo>, info: TraceInfo): Map<string, TraceInfo> {
  const next = new Map(kept).set(info.trace_id, info);
  for (const id of next.keys()) {
    if (next.size <= MOST_KEPT) break;
    next.delete(id);
  }
  return next;
}

/** Show what waited. */
export function release(now: Arrivals): Arrivals {
  if (now.waiting.size === 0) return now;
  return { ...now, shown: new Map([...now.shown, ...now.waiting]), waiting: new Map() };
}

function recent(times: readonly number[], nowMs: number): number[] {
  return times.filter((ms) => nowMs - ms < RATE_MS);
}

/** New traces a second over the last ten seconds. */
export function rateOf(now: Arrivals, nowMs: number): number {
  return recent(now.times, nowMs).length / (RATE_MS / 1000);
}

/** The list with what has arrived: changed traces in their place, new ones on top, newest first. */
export function joinArrivals(
  listed: readonly TraceInfo[],
  shown: ReadonlyMap<string, TraceInfo>,
): readonly TraceInfo[] {
  if (shown.size === 0) return listed;
  const known = new Set(listed.map((info) => info.trace_id));
  const fresh = [...shown.values()]
    .filter((info) => !known.has(info.trace_id))
    .toSorted((a, b) => b.request_time_ms - a.request_time_ms || (a.trace_id < b.trace_id ? -1 : 1));
  return [...fresh, ...listed.map((info) => shown.get(info.trace_id) ?? info)];
}
