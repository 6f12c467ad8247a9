/** A histogram of traces over time: stacked bars, ticks, and the times that a brush covers. */

import type { Line, TraceSeries } from "../api/types";
import { formatCount } from "./format";
import { writeMoment } from "./time";

export interface Bar {
  startMs: number;
  endMs: number;
  total: number;
  /** From the bottom up; `from` and `to` are shares of the highest bar. */
  parts: readonly { line: number; count: number; from: number; to: number }[];
}

export interface Histogram {
  fromMs: number;
  untilMs: number;
  highest: number;
  bars: readonly Bar[];
}

export function drawHistogram(series: TraceSeries): Histogram {
  const { from_ms: fromMs, until_ms: untilMs, bucket_ms: width, lines } = series;
  const count = lines[0]?.counts.length ?? Math.max(0, Math.round((untilMs - fromMs) / width));
  const totals = Array.from({ length: count }, (_, at) =>
    lines.reduce((sum, line) => sum + (line.counts[at] ?? 0), 0),
  );
  const highest = totals.reduce((most, total) => Math.max(most, total), 0);
  const bars = totals.map((total, at): Bar => {
    let below = 0;
    const parts: { line: number; count: number; from: number; to: number }[] = [];
    for (const [line, { counts }] of lines.entries()) {
      const own = counts[at] ?? 0;
      if (own === 0) continue;
      parts.push({ line, count: own, from: below / highest, to: (below + own) / highest });
      below += own;
    }
    return { startMs: fromMs + at * width, endMs: fromMs + (at + 1) * width, total, parts };
  });
  return { fromMs, untilMs, highest, bars };
}

const STATE_COLOURS: Readonly<Record<string, string>> = {
  OK: "var(--bar-ok)",
  ERROR: "var(--bar-error)",
  IN_PROGRESS: "var(--bar-running)",
};
const SERIES_COLOURS = 7;

/** The colour token of a line. */
export function colourOf(line: Line, index: number, split: string): string {
  if (line.kind === "all") return "var(--bar-ok)";
  if (line.kind !== "value" || line.value === null) return "var(--bar-rest)";
  if (split === "state") return STATE_COLOURS[line.value] ?? "var(--bar-rest)";
  return `var(--series-${(index % SERIES_COLOURS) + 1})`;
}

const STATE_NAMES: Readonly<Record<string, string>> = {
  OK: "OK",
  ERROR: "Error",
  IN_PROGRESS: "Running",
};

export function nameLine(line: Line, split: string): string {
  if (line.kind === "all") return "Traces";
  if (line.kind === "missing") return "none";
  if (line.kind === "other" || line.value === null) return "others";
  return split === "state" ? (STATE_NAMES[line.value] ?? line.value) : line.value;
}

/** "2026-11-23 21:50 – 21:51: 12 traces; 10 OK, 2 Error". */
export function describeBar(bar: Bar, lines: readonly Line[], split: string): string {
  const parts = bar.parts.flatMap(({ line, count }) => {
    const found = lines[line];
    return found === undefined || found.kind === "all"
      ? []
      : [`${formatCount(count)} ${nameLine(found, split)}`];
  });
  const times = `${writeMoment(bar.startMs)} – ${writeMoment(bar.endMs).slice(11)}`;
  const count = `${formatCount(bar.total)} ${bar.total === 1 ? "trace" : "traces"}`;
  return [`${times}: ${count}`, parts.join(", ")].filter(Boolean).join("; ");
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** From this step on, a day without its year could be any. */
const YEARLY_MS = 90 * DAY_MS;
const TICKS_MS = [
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * 1000),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * 60_000),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR_MS),
  ...[1, 2, 7, 14, 30, 90, 365].map((days) => days * DAY_MS),
];

/** Round local times along the axis, at most `most` of them. */
export function listTicks(fromMs: number, untilMs: number, most: number): { ms: number; text: string }[] {
  const span = untilMs - fromMs;
  const step = TICKS_MS.find((width) => span / width <= most) ?? DAY_MS * 365;
  const offset = new Date(fromMs).getTimezoneOffset() * 60_000;
  const ticks: { ms: number; text: string }[] = [];
  for (let ms = Math.ceil((fromMs - offset) / step) * step + offset; ms <= untilMs; ms += step) {
    ticks.push({ ms, text: nameTick(ms, step) });
  }
  return ticks;
}

function nameTick(ms: number, step: number): string {
  const moment = writeMoment(ms);
  const month = new Date(ms).toLocaleString("en-US", { month: "short" });
  if (step >= YEARLY_MS) return `${month} ${new Date(ms).getFullYear()}`;
  const day = `${month} ${new Date(ms).getDate()}`;
  if (step >= DAY_MS) return day;
  const time = moment.slice(11);
  return time === "00:00" && step >= HOUR_MS ? day : time;
}

/** The whole bars that a drag from one share of the width to another touches. */
export function findBrushed(drawn: Histogram, one: number, other: number): { sinceMs: number; untilMs: number } | null {
  const [low, high] = one < other ? [one, other] : [other, one];
  const count = drawn.bars.length;
  const first = drawn.bars[Math.min(count - 1, Math.max(0, Math.floor(low * count)))];
  const last = drawn.bars[Math.min(count - 1, Math.max(0, Math.ceil(high * count) - 1))];
  if (first === undefined || last === undefined) return null;
  return { sinceMs: first.startMs, untilMs: Math.max(last.endMs, first.endMs) };
}
