/** A metric of both sides over time: lines that break where there is no traffic, and markers. */

import type { Comparison, Timeline } from "../api/types";

/** What can be drawn, by the names of timelines. */
export const METRICS_OVER_TIME: readonly { name: string; title: string }[] = [
  { name: "duration_p50", title: "duration p50" },
  { name: "duration_p95", title: "duration p95" },
  { name: "duration_p99", title: "duration p99" },
  { name: "error_rate", title: "error rate" },
  { name: "total_tokens", title: "total tokens" },
  { name: "cost_usd", title: "cost" },
  { name: "span_count", title: "span count" },
  { name: "traces", title: "traces" },
];

const SAME: Readonly<Record<string, string>> = { duration: "duration_p50" };

function nameOverTime(name: string): string | undefined {
  return METRICS_OVER_TIME.find((one) => one.name === (SAME[name] ?? name))?.name;
}

/** The metric that an address names, else the first that regressed, else the middle duration. */
export function chooseMetric(asked: string | null, found: Comparison): string {
  const regressed = found.metrics.filter((one) => one.guard && one.verdict === "regressed");
  const named = [...(asked === null ? [] : [asked]), ...regressed.map((one) => one.metric)];
  return named.map(nameOverTime).find((name) => name !== undefined) ?? "duration_p50";
}

/** The time that both sides cover together; null where either has no trace. */
export function coverBoth(found: Comparison): { sinceMs: number; untilMs: number } | null {
  const { baseline, candidate } = found;
  const first = [baseline.first_seen_ms, candidate.first_seen_ms];
  const last = [baseline.last_seen_ms, candidate.last_seen_ms];
  const [one = null, other = null] = first;
  const [end = null, otherEnd = null] = last;
  if (one === null || other === null || end === null || otherEnd === null) return null;
  return { sinceMs: Math.min(one, other), untilMs: Math.max(end, otherEnd) + 1 };
}

export interface Plot {
  fromMs: number;
  untilMs: number;
  /** Round, and not below any value. */
  top: number;
  steps: readonly number[];
}

/** The axes that all these timelines share. */
export function frame(timelines: readonly Timeline[]): Plot | null {
  const drawn = timelines.filter((one) => one.series.length > 0);
  const [first] = drawn;
  if (first === undefined) return null;
  const values = drawn.flatMap(({ series }) => series.flatMap((line) => line.values));
  const highest = values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
  const step = roundStep(highest / 4);
  const count = Math.max(1, Math.ceil(highest / step - 1e-9));
  return {
    fromMs: Math.min(...drawn.map((one) => one.from_ms)),
    untilMs: Math.max(...drawn.map(endOf)),
    top: step * count,
    steps: Array.from({ length: count + 1 }, (_, at) => step * at),
  };
}

function endOf(timeline: Timeline): number {
  const buckets = timeline.series[0]?.values.length ?? 0;
  return timeline.from_ms + buckets * timeline.bucket_ms;
}

function roundStep(least: number): number {
  if (least <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(least));
  return (([1, 2, 2.5, 5, 10].find((step) => step * power >= least) ?? 10) * power);
}

export interface Point {
  /** Shares of the width and the height, from the left and from below. */
  x: number;
  y: number;
  value: number;
  count: number;
  sinceMs: number;
  untilMs: number;
  /** Too few traces to mean much. */
  isNoise: boolean;
}

/** The values of a side's only line, at the middles of their buckets; null where it has no traffic. */
export function listPoints(timeline: Timeline, plot: Plot): (Point | null)[] {
  const [line] = timeline.series;
  if (line === undefined) return [];
  const span = Math.max(1, plot.untilMs - plot.fromMs);
  return line.values.map((value, at): Point | null => {
    if (value === null) return null;
    const sinceMs = timeline.from_ms + at * timeline.bucket_ms;
    const count = line.counts[at] ?? 0;
    return {
      x: (sinceMs + timeline.bucket_ms / 2 - plot.fromMs) / span,
      y: value / plot.top,
      value,
      count,
      sinceMs,
      untilMs: sinceMs + timeline.bucket_ms,
      isNoise: count < timeline.enough_traces,
    };
  });
}

/** The points joined to an SVG path; a gap stays one. */
export function drawPath(points: readonly (Point | null)[], width: number, height: number): string {
  let isDown = false;
  let path = "";
  for (const point of points) {
    if (point === null) {
      isDown = false;
      continue;
    }
    path += `${isDown ? "L" : "M"}${(point.x * width).toFixed(1)} ${((1 - point.y) * height).toFixed(1)}`;
    isDown = true;
  }
  return path;
}

export interface Marker {
  x: number;
  atMs: number;
  /** Versions that began at about the same place. */
  versions: readonly string[];
  /** How high its name stands, so that neighbours' names don't lie on one another. */
  level: number;
}

const NEAR = 0.012;
const CROWDED = 0.1;
const LEVELS = 3;

/** When versions began, in order; those that would lie on one another are one marker. */
export function listMarkers(timeline: Timeline, plot: Plot): Marker[] {
  const span = Math.max(1, plot.untilMs - plot.fromMs);
  const found: { x: number; atMs: number; versions: string[]; level: number }[] = [];
  for (const one of timeline.markers.toSorted((a, b) => a.at_ms - b.at_ms)) {
    const x = (one.at_ms - plot.fromMs) / span;
    const name = one.app_version ?? one.commit?.slice(0, 7);
    if (name === undefined || x < 0 || x > 1) continue;
    const last = found.at(-1);
    if (last !== undefined && x - last.x < NEAR) {
      if (!last.versions.includes(name)) last.versions.push(name);
    } else {
      const level = last !== undefined && x - last.x < CROWDED ? (last.level + 1) % LEVELS : 0;
      found.push({ x, atMs: one.at_ms, versions: [name], level });
    }
  }
  return found;
}
