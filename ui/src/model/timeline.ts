/** Where a span's bar stands, and which part of the time is in sight. Offsets are exact: the
 * difference is taken before rounding. */

import type { Span } from "../api/types";
import { compareNs, type SpanNode } from "./spanTree";

export interface Extent {
  startNs: bigint;
  lengthNs: number;
}

/** The part of the extent that is in sight, as fractions: 0 ≤ from < to ≤ 1. */
export interface Sight {
  from: number;
  to: number;
}

export const WHOLE: Sight = { from: 0, to: 1 };

/** No zoom goes closer than this part of the trace, or than ten nanoseconds. */
const LEAST_SIGHT = 1e-7;
const LEAST_NS = 10;
/** A span that is fitted keeps this part of itself free on each side. */
const MARGIN = 0.05;

/** From the first start to the last end; a running span reaches to `nowNs`. */
export function findExtent(spans: readonly Span[], nowNs: bigint | null): Extent {
  let first = spans[0]?.start_time_ns ?? "0";
  let last = first;
  let isOpen = false;
  for (const span of spans) {
    const end = span.end_time_ns ?? span.start_time_ns;
    if (compareNs(span.start_time_ns, first) < 0) first = span.start_time_ns;
    if (compareNs(end, last) > 0) last = end;
    isOpen ||= span.end_time_ns === null;
  }
  const startNs = BigInt(first);
  let endNs = BigInt(last);
  if (isOpen && nowNs !== null && nowNs > endNs) endNs = nowNs;
  return { startNs, lengthNs: Math.max(1, Number(endNs - startNs)) };
}

/** When a span began and ended, in nanoseconds after the extent's start. */
export interface Times {
  start: number;
  end: number;
  isOpen: boolean;
}

/** The times of every node. A running span ends with the extent; a missing one spans its children. */
export function readTimes(nodes: readonly SpanNode[], extent: Extent): Map<SpanNode, Times> {
  const times = new Map<SpanNode, Times>();
  const missing: SpanNode[] = [];
  for (const node of nodes) {
    const { span } = node;
    if (span === null) {
      missing.push(node);
      continue;
    }
    const start = Number(BigInt(span.start_time_ns) - extent.startNs);
    const isOpen = span.end_time_ns === null;
    const end = isOpen
      ? extent.lengthNs
      : Number(BigInt(span.end_time_ns ?? span.start_time_ns) - extent.startNs);
    times.set(node, { start, end: Math.max(start, end), isOpen });
  }
  for (const node of missing) {
    let [start, end] = [Infinity, 0];
    for (const child of node.children) {
      const known = times.get(child);
      if (known === undefined) continue;
      start = Math.min(start, known.start);
      end = Math.max(end, known.end);
    }
    times.set(node, { start: Math.min(start, end), end, isOpen: false });
  }
  return times;
}

/** Fractions of the lane. `width` 0 with `isOut`: the bar lies wholly beside what is in sight. */
export interface Bar {
  left: number;
  width: number;
  isOut: boolean;
}

export function placeBar(start: number, end: number, lengthNs: number, sight: Sight): Bar {
  const scale = lengthNs * (sight.to - sight.from);
  const left = (start - sight.from * lengthNs) / scale;
  const right = (end - sight.from * lengthNs) / scale;
  const from = Math.min(1, Math.max(0, left));
  const to = Math.min(1, Math.max(0, right));
  return { left: from, width: to - from, isOut: right < 0 || left > 1 };
}

const MINUTE_NS = 60e9;
/** From ten seconds on, time is no longer counted in tens. */
const LONG_STEPS_NS = [
  ...[1 / 6, 1 / 4, 1 / 2, 1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE_NS),
  ...[1, 2, 3, 6, 12, 24].map((hours) => hours * 60 * MINUTE_NS),
];

/** Round offsets for the axis: at most `most` steps. */
export function listTicks(lengthNs: number, most: number, sight: Sight = WHOLE): number[] {
  const [low, high] = [sight.from * lengthNs, sight.to * lengthNs];
  const rough = Math.max(1e-3, (high - low) / Math.max(1, most));
  const power = 10 ** Math.floor(Math.log10(rough));
  const decimal = power * ([1, 2, 5, 10].find((factor) => power * factor >= rough) ?? 10);
  const step = decimal < MINUTE_NS / 6 ? decimal : (LONG_STEPS_NS.find((one) => one >= rough) ?? decimal);
  const ticks: number[] = [];
  for (let count = Math.ceil(low / step); count * step <= high; count += 1) ticks.push(count * step);
  return ticks;
}

// --- Zoom ---------------------------------------------------------------------------------------

function leastOf(lengthNs: number): number {
  return Math.min(1, Math.max(LEAST_SIGHT, LEAST_NS / lengthNs));
}

/** Keep the width and move it inside 0..1; widen what is closer than the least. */
export function clampSight({ from, to }: Sight, lengthNs: number): Sight {
  const width = Math.min(1, Math.max(leastOf(lengthNs), to - from));
  const middle = (from + to) / 2;
  const start = to - from < width ? middle - width / 2 : from;
  const begin = Math.min(1 - width, Math.max(0, start));
  return width >= 1 ? WHOLE : { from: begin, to: begin + width };
}

/** Zoom by a factor (below 1: closer) so that what lies at `anchor` (0..1 of the lane) stays there. */
export function zoom(sight: Sight, factor: number, anchor: number, lengthNs: number): Sight {
  const width = sight.to - sight.from;
  const point = sight.from + anchor * width;
  const next = Math.min(1, Math.max(leastOf(lengthNs), width * factor));
  return clampSight({ from: point - anchor * next, to: point + (1 - anchor) * next }, lengthNs);
}

/** Move by a part of what is in sight. */
export function pan(sight: Sight, part: number): Sight {
  const width = sight.to - sight.from;
  const from = Math.min(1 - width, Math.max(0, sight.from + part * width));
  return { from, to: from + width };
}

/** What is seen when a span fills the lane, with a little room beside it. */
export function fit({ start, end }: Pick<Times, "start" | "end">, lengthNs: number): Sight {
  const room = (end - start) * MARGIN;
  return clampSight({ from: (start - room) / lengthNs, to: (end + room) / lengthNs }, lengthNs);
}

export function isWhole({ from, to }: Sight): boolean {
  return from <= 0 && to >= 1;
}
