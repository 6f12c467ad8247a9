/** Rows of versions: their names, their traces, their order, and what they did when. */

import type { Finding, TraceSeries, VersionRow } from "../api/types";
import { writeArm } from "./arms";
import { addCondition, equals } from "./filter";
import { shortenCommit } from "./format";

export interface EnvironmentGroup {
  /** Null: traces that name none. */
  environment: string | null;
  rows: readonly VersionRow[];
  traces: number;
}

const FIRST = ["production", "staging", "test", "development"];

function rank(environment: string | null): number {
  const at = environment === null ? FIRST.length + 1 : FIRST.indexOf(environment);
  return at < 0 ? FIRST.length : at;
}

/** Rows by environment, production first; within one they keep their order, the newest on top. */
export function groupByEnvironment(rows: readonly VersionRow[]): EnvironmentGroup[] {
  const groups = new Map<string | null, VersionRow[]>();
  for (const row of rows) {
    const group = groups.get(row.environment);
    if (group === undefined) groups.set(row.environment, [row]);
    else group.push(row);
  }
  return [...groups]
    .map(([environment, own]) => ({
      environment,
      rows: own,
      traces: own.reduce((sum, row) => sum + row.traces + row.unfinished, 0),
    }))
    .toSorted((a, b) => rank(a.environment) - rank(b.environment) || b.traces - a.traces);
}

/** As a side of a comparison; null for traces that name neither a version nor a commit. */
export function armOf(row: VersionRow): string | null {
  if (row.app_version !== null) return writeArm("version", row.app_version);
  return row.commit === null || row.commit === "" ? null : writeArm("commit", row.commit);
}

export function nameVersion(row: VersionRow): string {
  if (row.app_version !== null) return row.app_version;
  return row.commit === null || row.commit === "" ? "no version" : shortenCommit(row.commit);
}

/** What `/versions/detail` takes; null where the row names nothing. */
export function lookUp(row: VersionRow): string | null {
  return row.app_version ?? (row.commit === "" ? null : row.commit);
}

/** The filter of a row's traces; null where the language can't write it. */
export function filterOf(row: VersionRow, environment: string | null): string | null {
  const where = environment === null ? "environment IS NULL" : equals("environment", environment);
  const which =
    row.app_version !== null
      ? equals("app_version", row.app_version)
      : row.commit === null || row.commit === ""
        ? "app_version IS NULL"
        : equals("commit", row.commit);
  if (where === null || which === null) return null;
  const filter = `${where} AND ${which}`;
  return row.app_version === null ? addCondition(filter, "app_version IS NULL") : filter;
}

export function perTrace(sum: number, traces: number): number | null {
  return traces === 0 ? null : sum / traces;
}

/** Baseline and candidate of two chosen rows: the older one is the baseline, the list's order tells. */
export function orderChosen(
  chosen: readonly string[],
  rows: readonly VersionRow[],
): { baseline: string; candidate: string } | null {
  const [one, other] = chosen;
  if (one === undefined || other === undefined) return null;
  const at = (arm: string): number => rows.findIndex((row) => armOf(row) === arm);
  return at(one) < at(other) ? { baseline: other, candidate: one } : { baseline: one, candidate: other };
}

/** One more click: chooses, lets go, or lets the first one go for a third. */
export function toggleChosen(chosen: readonly string[], arm: string): string[] {
  if (chosen.includes(arm)) return chosen.filter((one) => one !== arm);
  return [...chosen, arm].slice(-2);
}

/** Open findings about a row. */
export function findingsOf(
  findings: readonly Finding[],
  row: VersionRow,
  environment: string | null,
): Finding[] {
  const name = lookUp(row);
  return findings.filter((one) => one.candidate === name && one.environment === environment);
}

export interface Spark {
  /** Bars as [share of the width from the left, share of the height]. */
  bars: readonly (readonly [number, number])[];
  width: number;
  highest: number;
}

/** A version's traces over the time of its environment. */
export function drawSpark(series: TraceSeries, version: string | null): Spark | null {
  const line = series.lines.find(
    (one) => (version === null ? one.kind === "missing" : one.kind === "value" && one.value === version),
  );
  if (line === undefined) return null;
  const highest = line.counts.reduce((most, count) => Math.max(most, count), 0);
  const count = line.counts.length;
  return {
    highest,
    width: 1 / count,
    bars: line.counts.flatMap((own, at) => (own === 0 ? [] : [[at / count, own / highest] as const])),
  };
}

/** The versions of the rows that an answer put among the others. */
export function listWithoutLine(series: TraceSeries, rows: readonly VersionRow[]): string[] {
  if (!series.lines.some(({ kind }) => kind === "other")) return [];
  const drawn = new Set(series.lines.map((line) => (line.kind === "value" ? line.value : null)));
  return rows.flatMap(({ app_version: version }) => (version === null || drawn.has(version) ? [] : [version]));
}

export interface DiffLine {
  kind: "added" | "removed" | "place" | "same";
  text: string;
}

/** A unified diff's lines. */
export function readDiff(lines: readonly string[]): DiffLine[] {
  return lines.map((text) => {
    if (text.startsWith("@@")) return { kind: "place", text };
    if (text.startsWith("+")) return { kind: "added", text };
    return text.startsWith("-") ? { kind: "removed", text } : { kind: "same", text };
  });
}

/** "added", "removed" or "changed", for what stands on one side only or on both. */
export function kindOfChange(before: unknown, after: unknown): "added" | "removed" | "changed" {
  if (before === null || before === undefined) return "added";
  return after === null || after === undefined ? "removed" : "changed";
}

export function writeAny(value: unknown): string {
  if (value === null || value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}
