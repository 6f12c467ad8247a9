/** The chart of durations: shares of traces that took at most so long, on a logarithmic axis. */

import type { DurationDistribution, DurationRegion } from "../api/types";
import { formatCount, formatDuration } from "./format";

export interface DurationAxis {
  lowMs: number;
  highMs: number;
  /** From 0 to 1. */
  place: (ms: number) => number;
  ticks: readonly { ms: number; text: string; at: number }[];
}

const LEAST_MS = 0.001;
const MOST_TICKS = 9;
/** A tick so near to an end would be cut off. */
const EDGE = 0.015;

export function drawAxis(found: DurationDistribution): DurationAxis | null {
  const first = found.at_ms[0];
  const last = found.at_ms.at(-1);
  if (first === undefined || last === undefined) return null;
  // A little air on both sides, also where every trace took equally long.
  const lowMs = Math.max(first, LEAST_MS) / 1.08;
  const highMs = Math.max(last, LEAST_MS) * 1.08;
  const span = Math.log(highMs / lowMs);
  const place = (ms: number): number =>
    Math.min(1, Math.max(0, Math.log(Math.max(ms, LEAST_MS) / lowMs) / span));
  return { lowMs, highMs, place, ticks: listTicks(lowMs, highMs, place) };
}

function listTicks(lowMs: number, highMs: number, place: (ms: number) => number) {
  for (const steps of [[1, 1.5, 2, 3, 4, 5, 6, 8], [1, 2, 5], [1, 3], [1]]) {
    const found: number[] = [];
    for (let power = Math.floor(Math.log10(lowMs)); 10 ** power <= highMs; power += 1) {
      for (const step of steps) {
        const ms = Number((step * 10 ** power).toPrecision(3));
        if (place(ms) > EDGE && place(ms) < 1 - EDGE) found.push(ms);
      }
    }
    if (found.length <= MOST_TICKS || steps.length === 1) {
      return found.map((ms) => ({ ms, text: nameTick(ms), at: place(ms) }));
    }
  }
  return [];
}

/** "1 ms", not "1.00 ms": ticks are round. */
function nameTick(ms: number): string {
  return formatDuration(ms * 1e6).replace(/(\.\d*?)0+ /, "$1 ").replace(". ", " ");
}

/** The steps of one arm as an SVG path in a box of this size. */
export function drawSteps(
  axis: DurationAxis,
  atMs: readonly number[],
  shares: readonly number[],
  width: number,
  height: number,
): string {
  const y = (share: number): string => ((1 - share) * height).toFixed(1);
  let path = `M0 ${y(0)}`;
  for (const [at, ms] of atMs.entries()) {
    path += `H${(axis.place(ms) * width).toFixed(1)}V${y(shares[at] ?? 0)}`;
  }
  return `${path}H${width}`;
}

/** Where a region lies on the axis: [from, to], shares of the width. */
export function placeRegion(axis: DurationAxis, region: DurationRegion): readonly [number, number] {
  return [axis.place(region.low_ms), axis.place(region.high_ms)];
}

export function nameRegion(region: DurationRegion): string {
  return `${formatMs(region.low_ms)} – ${formatMs(region.high_ms)}`;
}

function formatMs(ms: number): string {
  return ms < 1000 ? `${ms} ms` : formatDuration(ms * 1e6);
}

/** "12 (5.0 %)". */
export function formatPart(count: number, of: number): string {
  return of === 0 ? formatCount(count) : `${formatCount(count)} (${((count / of) * 100).toFixed(1)} %)`;
}

/** A region as it stands in an address: "40-60". */
export function writeRegion({ low_ms, high_ms }: DurationRegion): string {
  return `${low_ms}-${high_ms}`;
}

/** The region that an address names; after the traces have changed, the one that holds its middle. */
export function findRegion(
  regions: readonly DurationRegion[],
  text: string | null,
): DurationRegion | null {
  const match = /^(\d{1,12})-(\d{1,12})$/.exec(text ?? "");
  if (match === null) return null;
  const exact = regions.find((one) => writeRegion(one) === text);
  if (exact !== undefined) return exact;
  const middle = (Number(match[1]) + Number(match[2])) / 2;
  return regions.find((one) => one.low_ms <= middle && middle < one.high_ms) ?? null;
}
