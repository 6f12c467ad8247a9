import { expect, test } from "vitest";

import type { EnvironmentRow, Finding, TraceSeries, VersionRow } from "../src/api/types";
import { listMeasures } from "../src/model/environments";
import { ALL_TIME, parseLast } from "../src/model/time";
import {
  armOf,
  drawSpark,
  filterOf,
  findingsOf,
  listWithoutLine,
  groupByEnvironment,
  kindOfChange,
  lookUp,
  nameVersion,
  orderChosen,
  perTrace,
  readDiff,
  toggleChosen,
  writeAny,
} from "../src/model/versions";
import { buildEnvironmentsUrl, parseEnvironmentsUrl } from "../src/pages/environments/url";
import {
  buildVersionDiffUrl,
  buildVersionsUrl,
  buildVersionUrl,
  parseVersionDiffUrl,
  parseVersionsUrl,
  parseVersionUrl,
} from "../src/pages/versions/url";
import { splitHref } from "../src/router";

function row(app_version: string | null, environment: string | null, commit: string | null = null): VersionRow {
  return { app_version, environment, commit, traces: 10, unfinished: 1 } as VersionRow;
}

test("environments stand from production down, those without one last, versions as the server orders them", () => {
  const groups = groupByEnvironment([
    row("2", null),
    row("2", "development"),
    row("2", "qa"),
    row("2", "production"),
    row("1", "production"),
  ]);
  expect(groups.map((group) => group.environment)).toEqual(["production", "development", "qa", null]);
  expect(groups[0]?.rows.map((one) => one.app_version)).toEqual(["2", "1"]);
  expect(groups[0]?.traces).toBe(22);
});

test("versions among the others of a series are known, to be asked for by name", () => {
  const series = { lines: [{ kind: "value", value: "1" }, { kind: "other", value: null }] } as unknown as TraceSeries;
  expect(listWithoutLine(series, [row("1", null), row("2", null), row(null, null)])).toEqual(["2"]);
  expect(listWithoutLine({ ...series, lines: series.lines.slice(0, 1) }, [row("2", null)])).toEqual([]);
});

test("a row has a name, a side of a comparison and a filter, whatever it names", () => {
  expect(nameVersion(row(null, null, "0123456789abcdef0123"))).toBe("0123456789ab");
  expect(nameVersion(row(null, null))).toBe("no version");
  expect(armOf(row("1.0", null))).toBe("1.0");
  expect(armOf(row(null, null, "deadbeef"))).toBe("commit:deadbeef");
  expect(armOf(row(null, null))).toBeNull();
  expect(lookUp(row(null, null, ""))).toBeNull();
  expect(filterOf(row("1.0", null), "production")).toBe("environment = 'production' AND app_version = '1.0'");
  expect(filterOf(row(null, null, "deadbeef"), null)).toBe(
    "environment IS NULL AND commit = 'deadbeef' AND app_version IS NULL",
  );
  expect(filterOf(row(null, null), "qa")).toBe("environment = 'qa' AND app_version IS NULL");
  expect(filterOf(row(`'"`, null), "qa")).toBeNull();
});

test("the older of two chosen versions is the baseline, in whatever order they were chosen", () => {
  const rows = [row("1.10.0", "production"), row("1.9.0", "production")];
  expect(orderChosen(["1.10.0", "1.9.0"], rows)).toEqual({ baseline: "1.9.0", candidate: "1.10.0" });
  expect(orderChosen(["1.9.0", "1.10.0"], rows)).toEqual({ baseline: "1.9.0", candidate: "1.10.0" });
  expect(orderChosen(["1.9.0"], rows)).toBeNull();
  expect(toggleChosen(["a"], "b")).toEqual(["a", "b"]);
  expect(toggleChosen(["a", "b"], "a")).toEqual(["b"]);
  expect(toggleChosen(["a", "b"], "c")).toEqual(["b", "c"]);
});

test("findings stand at their version in their environment", () => {
  const findings = [
    { candidate: "1.0", environment: "production" },
    { candidate: "1.0", environment: "staging" },
    { candidate: "2.0", environment: "production" },
  ] as Finding[];
  expect(findingsOf(findings, row("1.0", "production"), "production")).toEqual([findings[0]]);
});

const SERIES: TraceSeries = {
  from_ms: 0,
  until_ms: 4000,
  bucket_ms: 1000,
  counted_from_ms: null,
  total: 7,
  elapsed_ms: 1,
  lines: [
    { kind: "value", value: "1.0", total: 6, counts: [0, 4, 2, 0] },
    { kind: "missing", value: null, total: 1, counts: [1, 0, 0, 0] },
  ],
};

test("a version's traffic is drawn where it was, and one that is not counted not at all", () => {
  expect(drawSpark(SERIES, "1.0")?.bars).toEqual([
    [0.25, 1],
    [0.5, 0.5],
  ]);
  expect(drawSpark(SERIES, null)?.bars).toEqual([[0, 1]]);
  expect(drawSpark(SERIES, "9.9")).toBeNull();
});

test("changes are added, removed or changed; a diff's lines say which they are", () => {
  expect(kindOfChange(null, "1")).toBe("added");
  expect(kindOfChange("1", undefined)).toBe("removed");
  expect(kindOfChange(0, false)).toBe("changed");
  expect(writeAny(null)).toBe("–");
  expect(writeAny(["a", 1])).toBe('["a",1]');
  expect(writeAny("a")).toBe("a");
  expect(readDiff(["@@ -1 +1 @@", " a", "-b", "+c"]).map(({ kind }) => kind)).toEqual([
    "place",
    "same",
    "removed",
    "added",
  ]);
  expect(perTrace(0, 0)).toBeNull();
  expect(perTrace(10, 4)).toBe(2.5);
});

test("addresses of versions and environments are read as they are written", () => {
  const view = {
    environment: "production",
    experimentIds: ["7"],
    time: parseLast("7d") ?? ALL_TIME,
    chosen: ["1.0.0", "commit:deadbeef"],
    chosenIn: "production",
  };
  expect(parseVersionsUrl(splitHref(buildVersionsUrl(view)))).toEqual(view);
  expect(buildVersionsUrl({ chosen: [], chosenIn: "production" })).toBe("/versions");
  expect(parseVersionsUrl(splitHref("/versions/detail"))).toBeNull();
  const one = { version: "1 & 2", environment: null, experimentIds: [] };
  expect(parseVersionUrl(splitHref(buildVersionUrl(one)))).toEqual(one);
  expect(parseVersionUrl(splitHref("/versions/detail"))).toBeNull();
  const two = { before: "1", after: "2", environment: null, experimentIds: ["7"] };
  expect(parseVersionDiffUrl(splitHref(buildVersionDiffUrl(two)))).toEqual(two);
  expect(parseVersionDiffUrl(splitHref("/versions/diff?before=1"))).toBeNull();
  const side = { version: "1.1.0", experimentIds: [], time: ALL_TIME };
  expect(parseEnvironmentsUrl(splitHref(buildEnvironmentsUrl(side)))).toEqual(side);
  expect(buildEnvironmentsUrl()).toBe("/environments");
});

test("environments have a row for each number, and one for each feedback that any of them has", () => {
  const numbers = { traces: 1200, unfinished: 0, units: null, versions: 2, error_rate: 0.1, p50_ms: 5, p95_ms: 9, p99_ms: null };
  const judged = { ...numbers, quality: [{ name: "helpful", mean: 0.5, count: 8, traces: 8 }] };
  const plain = { ...numbers, quality: [] };
  const rows = [judged, plain] as unknown as EnvironmentRow[];
  const measures = listMeasures(rows);
  expect(measures.map(({ title }) => title).slice(-2)).toEqual(["p99", "helpful"]);
  const [first, second] = rows;
  if (first === undefined || second === undefined) throw new Error("no rows");
  expect(measures.map(({ text }) => text(first))).toEqual(
    ["1,200", "0", "–", "2", "10.00 %", "5.00 ms", "9.00 ms", "–", "0.5 (8)"],
  );
  expect(measures.at(-1)?.text(second)).toBe("–");
});
