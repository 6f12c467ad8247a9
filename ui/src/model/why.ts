/** What explains a difference, in words and on an axis. */

import type { Explanation } from "../api/types";
import { ABSENT, formatDuration } from "./format";

type SpanEffect = Explanation["spans"][number];

/** The least and the greatest of all changes with their intervals; zero is among them. */
export function boundsOf(spans: readonly SpanEffect[]): readonly [number, number] {
  const all = spans.flatMap((one) => [one.difference_ms, one.low_ms ?? 0, one.high_ms ?? 0]);
  return [Math.min(0, ...all), Math.max(0, ...all)];
}

/** A value's place between the bounds, in CSS. */
export function placeOn(value: number, low: number, high: number): string {
  return high === low ? "0%" : `${(((value - low) / (high - low)) * 100).toFixed(2)}%`;
}

/** "+57.9 ms", "−14.0 ms". */
export function formatShift(ms: number): string {
  const text = formatDuration(Math.abs(ms) * 1e6);
  return ms === 0 ? text : `${ms < 0 ? "−" : "+"}${text}`;
}

export function describeShare(share: number | null): string {
  if (share === null) return ABSENT;
  const percent = Math.round(share * 100);
  return `${percent < 0 ? "−" : ""}${Math.abs(percent)} %`;
}

/** "1 → 0.81", or one number where nothing changed. */
export function formatCalls(before: number, after: number): string {
  const [one, other] = [before, after].map((calls) => String(Number(calls.toPrecision(3))));
  return one === other ? (one ?? "") : `${one} → ${other}`;
}

export function describeEffect(one: SpanEffect): string {
  const interval =
    one.low_ms === null || one.high_ms === null
      ? ""
      : ` (${formatShift(one.low_ms)} to ${formatShift(one.high_ms)})`;
  return `${formatShift(one.difference_ms)}${interval}: ${formatShift(one.by_calls_ms)} by the number of calls, ${formatShift(one.by_mean_ms)} by each call`;
}
