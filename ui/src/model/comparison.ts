/** A comparison's numbers in words, its metrics worst first, and where their intervals are drawn. */

import type { MetricComparison } from "../api/types";
import { ABSENT, formatCost, formatCount, formatDuration } from "./format";

export const VERDICTS = ["regressed", "inconclusive", "equivalent", "improved"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** A verdict that a newer server may say is at least no good news. */
export function readVerdict(text: string): Verdict {
  return VERDICTS.find((one) => one === text) ?? "inconclusive";
}

function rank(one: MetricComparison): number {
  return VERDICTS.indexOf(readVerdict(one.verdict));
}

/** Worst first; among equals what decides, then the largest effect on the bad side. */
export function sortWorstFirst(metrics: readonly MetricComparison[]): MetricComparison[] {
  return metrics.toSorted(
    (a, b) =>
      rank(a) - rank(b) || Number(b.guard) - Number(a.guard) || badness(b) - badness(a),
  );
}

/** The effect in margins, positive on the bad side. */
function badness(one: MetricComparison): number {
  return (one.effect ?? 0) * directionOf(one) / (one.margin || 1);
}

function directionOf(one: MetricComparison): 1 | -1 {
  return one.better === "higher" ? -1 : 1;
}

export function nameMetric(metric: string): string {
  if (metric.startsWith("feedback.")) return metric.slice("feedback.".length);
  return metric.replaceAll("_", " ").replace(/ usd\b/, "").replace(/ p(\d\d)$/, " p$1");
}

export function formatValue(value: number | null, unit: string): string {
  if (value === null) return ABSENT;
  if (unit === "ms") return formatDuration(value * 1e6);
  if (unit === "share") return `${(value * 100).toFixed(2)} %`;
  if (unit === "usd") return formatCost(value);
  return Math.abs(value) >= 1000 ? formatCount(Math.round(value)) : String(Number(value.toPrecision(3)));
}

/** "+12.3 %", "−0.52 points", "+0.12". */
export function formatEffect(value: number | null, one: MetricComparison): string {
  return value === null ? ABSENT : `${signed(value, one)}${unitOf(one)}`;
}

/** "+8.1 to +16.7 %"; an end that is not known is "…". */
export function formatInterval(one: MetricComparison): string {
  if (one.low === null && one.high === null) return ABSENT;
  const [low, high] = [one.low, one.high].map((end) => (end === null ? "…" : signed(end, one)));
  return `${low} to ${high}${unitOf(one)}`;
}

export function formatMargin(one: MetricComparison): string {
  const text = formatEffect(Math.abs(one.margin), one).replace("+", "");
  return `±${text}`;
}

function signed(value: number, one: MetricComparison): string {
  if (one.scale === "ratio") return withSign(value * 100, 1);
  return one.unit === "share" ? withSign(value * 100, 2) : withSign(value, 3);
}

function withSign(value: number, places: number): string {
  const text = Math.abs(value).toFixed(places);
  return Number(text) === 0 ? text : `${value < 0 ? "−" : "+"}${text}`;
}

function unitOf(one: MetricComparison): string {
  if (one.scale === "ratio") return " %";
  return one.unit === "share" ? " points" : "";
}

/** How many more independent traces each version wants; null where more would not be asked for. */
export function countMissing(one: MetricComparison): number | null {
  if (readVerdict(one.verdict) !== "inconclusive" || one.needed === null) return null;
  const more = one.needed - Math.min(one.units_baseline, one.units_candidate);
  return more > 0 ? more : null;
}

// --- The interval plot ----------------------------------------------------------------------------

/** Shares of the plot's width; to the right is worse, whichever way the metric counts. */
export interface Placed {
  low: number;
  high: number;
  at: number;
  /** The ends of the margin, the same in every row. */
  margin: readonly [number, number];
  /** Which ends go on beyond the plot. */
  isOpen: readonly [boolean, boolean];
}

/** So many margins fit on either side. */
const FARTHEST = 40;

/**
 * Margins are the common measure: an inverse hyperbolic sine of effect ÷ margin, which is even
 * near zero and logarithmic far out, so that one row's 300 % leaves the next row's margin visible.
 */
export function placeInterval(one: MetricComparison): Placed | null {
  if (one.effect === null) return null;
  const direction = directionOf(one);
  const unit = one.margin > 0 ? toWorking(one.margin, one) : 1;
  const place = (effect: number): number => {
    const margins = (toWorking(effect, one) / unit) * direction;
    return 0.5 + Math.asinh(margins) / Math.asinh(FARTHEST) / 2;
  };
  const ends = [one.low, one.high].map((end) => (end === null ? null : place(end)));
  if (direction < 0) ends.reverse();
  const [low = null, high = null] = ends;
  const edge = place(one.margin > 0 ? one.margin * direction : 0);
  return {
    low: clamp(low ?? 0),
    high: clamp(high ?? 1),
    at: clamp(place(one.effect)),
    margin: [1 - edge, edge],
    isOpen: [low === null || low < 0, high === null || high > 1],
  };
}

/** Ratios are compared on a logarithmic scale: a half and twice are equally far. */
function toWorking(effect: number, one: MetricComparison): number {
  return one.scale === "ratio" ? Math.log1p(Math.max(effect, -0.999)) : effect;
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}

/** The interval in words, for those who can't see it. */
export function describeInterval(one: MetricComparison): string {
  const better = one.better === "higher" ? "more is better" : "less is better";
  return `${formatEffect(one.effect, one)}, interval ${formatInterval(one)}, margin ${formatMargin(one)}, ${better}`;
}
