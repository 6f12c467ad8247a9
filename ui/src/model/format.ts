/** One formatter for each kind of quantity. An absent value is a dash, never a zero. */

export const ABSENT = "–";

/** 1234567 ns → "1.23 ms": three digits that matter, the unit that reads best. */
export function formatDuration(ns: number | null): string {
  if (ns === null) return ABSENT;
  if (ns === 0) return "0 ms";
  const magnitude = Math.abs(ns);
  if (magnitude < 1e3) return `${Math.round(ns)} ns`;
  if (magnitude < 999.5e3) return `${digits(ns / 1e3)} µs`;
  if (magnitude < 999.5e6) return `${digits(ns / 1e6)} ms`;
  if (magnitude < 60e9) return `${digits(ns / 1e9)} s`;
  const seconds = Math.round(ns / 1e9);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** For an axis, whose ticks are round: "5 min", not "5 min 0 s". */
export function formatTick(ns: number): string {
  return formatDuration(ns).replace(/(?<=\D) 0 (s|min)$/, "");
}

function digits(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude >= 99.95) return value.toFixed(0);
  return value.toFixed(magnitude >= 9.995 ? 1 : 2);
}

export function formatCount(count: number | null): string {
  return count === null ? ABSENT : count.toLocaleString("en-US");
}

/** "1 span", "1,200 spans". */
export function formatNumberOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** US dollars: cents and more with four places, less with two digits that matter. */
export function formatCost(usd: number | null): string {
  if (usd === null) return ABSENT;
  if (usd === 0) return "$0";
  const magnitude = Math.abs(usd);
  if (magnitude >= 1) return `$${usd.toFixed(2)}`;
  if (magnitude >= 0.0001) return `$${usd.toFixed(4)}`;
  return `$${usd.toPrecision(2)}`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 999_500) return `${digits(bytes / 1e3)} kB`;
  return `${digits(bytes / 1e6)} MB`;
}

/** The time of day, with the date before it when that is not today. */
export function formatTime(ms: number, nowMs: number): string {
  const date = new Date(ms);
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(":");
  if (new Date(nowMs).toDateString() === date.toDateString()) return time;
  const day = `${date.toLocaleString("en-US", { month: "short" })} ${date.getDate()}`;
  return date.getFullYear() === new Date(nowMs).getFullYear()
    ? `${day} ${time}`
    : `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())} ${time}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}

/** For a tooltip: the exact time in UTC, and how long ago that was. */
export function formatExactTime(ms: number, nowMs: number): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return String(ms);
  return `${date.toISOString()} (${formatAge(nowMs - ms)})`;
}

export function formatAge(ageMs: number): string {
  if (ageMs < 0) return "in the future";
  const seconds = Math.floor(ageMs / 1000);
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** What a trace is called; a blank name would leave nothing to read or to click. */
export function nameTrace({ name, trace_id: id }: { name: string | null; trace_id: string }): string {
  return name === null ? id : nameSpan(name);
}

export function nameSpan(name: string): string {
  return name.trim() === "" ? "(no name)" : name;
}

/** Twelve digits of a commit are enough to tell it and short enough to read. */
export function shortenCommit(commit: string): string {
  return /^[0-9a-f]{20,}$/i.test(commit) ? commit.slice(0, 12) : commit;
}
