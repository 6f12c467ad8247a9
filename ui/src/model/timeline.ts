/** Where a span's bar stands. Offsets are exact: the difference is taken before rounding. */

import type { Span } from "../api/types";
import { compareNs } from "./spanTree";

export interface Extent {
  startNs: bigint;
  lengthNs: number;
}

export interface Bar {
  offsetNs: number;
  /** Null while the span has not ended. */
  durationNs: number | null;
  /** Fractions of the extent, 0..1. */
  left: number;
  width: number;
}

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

export function placeBar(span: Span, extent: Extent): Bar {
  const start = BigInt(span.start_time_ns);
  const offsetNs = Number(start - extent.startNs);
  const durationNs =
    span.end_time_ns === null ? null : Math.max(0, Number(BigInt(span.end_time_ns) - start));
  const left = Math.min(1, Math.max(0, offsetNs / extent.lengthNs));
  const width = Math.min(1 - left, (durationNs ?? extent.lengthNs - offsetNs) / extent.lengthNs);
  return { offsetNs, durationNs, left, width };
}

/** Round offsets for the axis, in steps of 1, 2 or 5: at most `most` steps, 0 included. */
export function listTicks(lengthNs: number, most: number): number[] {
  const rough = lengthNs / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => power * factor >= rough) ?? 10);
  const ticks: number[] = [];
  for (let count = 0; count * step <= lengthNs; count += 1) ticks.push(count * step);
  return ticks;
}
