/** The times a list is about: the last so-and-so long, or between two moments; else all. */

export type TimeRange =
  | { kind: "all" }
  | { kind: "last"; text: string; ms: number }
  | { kind: "between"; sinceMs: number | null; untilMs: number | null };

export interface Bounds {
  sinceMs: number | null;
  untilMs: number | null;
}

export const ALL_TIME: TimeRange = { kind: "all" };
export const PRESETS = ["15m", "1h", "24h", "7d", "30d"] as const;

const UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };
const UNIT_NAMES: Readonly<Record<string, string>> = { m: "minute", h: "hour", d: "day" };
const LATEST_MS = 2 ** 53;

export function parseLast(text: string): TimeRange | null {
  const match = /^(\d{1,4})([mhd])$/.exec(text);
  if (match === null) return null;
  const ms = Number(match[1]) * (UNITS_MS[match[2] ?? ""] ?? 0);
  return ms === 0 ? null : { kind: "last", text, ms };
}

/** `time=24h`, or `since=…&until=…` in Unix milliseconds; what can't be read is left out. */
export function readTime(params: URLSearchParams): TimeRange {
  const last = parseLast(params.get("time") ?? "");
  if (last !== null) return last;
  const sinceMs = readMs(params.get("since"));
  const untilMs = readMs(params.get("until"));
  if (sinceMs === null && untilMs === null) return ALL_TIME;
  if (sinceMs !== null && untilMs !== null && sinceMs >= untilMs) return ALL_TIME;
  return { kind: "between", sinceMs, untilMs };
}

function readMs(text: string | null): number | null {
  if (text === null || !/^\d+$/.test(text)) return null;
  const ms = Number(text);
  return ms < LATEST_MS ? ms : null;
}

export function writeTime(range: TimeRange, params: URLSearchParams): void {
  if (range.kind === "last") params.set("time", range.text);
  if (range.kind !== "between") return;
  if (range.sinceMs !== null) params.set("since", String(range.sinceMs));
  if (range.untilMs !== null) params.set("until", String(range.untilMs));
}

export function findBounds(range: TimeRange, nowMs: number): Bounds {
  if (range.kind === "last") return { sinceMs: nowMs - range.ms, untilMs: null };
  if (range.kind === "between") return { sinceMs: range.sinceMs, untilMs: range.untilMs };
  return { sinceMs: null, untilMs: null };
}

export function describeTime(range: TimeRange): string {
  if (range.kind === "all") return "All time";
  if (range.kind === "last") {
    const count = Number(range.text.slice(0, -1));
    const unit = UNIT_NAMES[range.text.slice(-1)] ?? "";
    return count === 1 ? `Last ${unit}` : `Last ${count} ${unit}s`;
  }
  const { sinceMs, untilMs } = range;
  if (untilMs === null) return `Since ${writeMoment(sinceMs ?? 0)}`;
  if (sinceMs === null) return `Until ${writeMoment(untilMs)}`;
  const isOneDay = writeMoment(sinceMs).slice(0, 10) === writeMoment(untilMs).slice(0, 10);
  const end = writeMoment(untilMs);
  return `${writeMoment(sinceMs)} – ${isOneDay ? end.slice(11) : end}`;
}

/** "2026-11-23 21:50" in local time, with seconds where they are not zero. */
export function writeMoment(ms: number): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return String(ms);
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(two).join("-");
  const time = [date.getHours(), date.getMinutes()].map(two).join(":");
  const seconds = date.getSeconds();
  return `${day} ${time}${seconds === 0 ? "" : `:${two(seconds)}`}`;
}

/** What a `datetime-local` field takes and gives, in local time. */
export function toLocalField(ms: number | null): string {
  return ms === null ? "" : writeMoment(ms).replace(" ", "T");
}

export function fromLocalField(text: string): number | null {
  if (text === "") return null;
  const ms = new Date(text).getTime();
  return Number.isNaN(ms) || ms < 0 ? null : ms;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
