import { expect, test } from "vitest";

import type { Explanation, MetricComparison } from "../src/api/types";
import { kindOf, readArm, shortenArm, writeArm } from "../src/model/arms";
import {
  countMissing,
  describeInterval,
  formatEffect,
  formatInterval,
  formatMargin,
  formatValue,
  nameMetric,
  placeInterval,
  readVerdict,
  sortWorstFirst,
} from "../src/model/comparison";
import {
  type ComparedScope,
  writeCompareCurl,
  writeComparePython,
  writeCompareShell,
} from "../src/model/compareSnippets";
import { ALL_TIME, parseLast } from "../src/model/time";
import { boundsOf, describeEffect, describeShare, formatCalls, formatShift, placeOn } from "../src/model/why";
import { buildCompareUrl, parseCompareUrl } from "../src/pages/compare/url";
import { splitHref } from "../src/router";

const DURATION: MetricComparison = {
  metric: "duration",
  unit: "ms",
  scale: "ratio",
  better: "lower",
  guard: true,
  baseline: 20,
  candidate: 70,
  effect: 2.5,
  low: 2.1,
  high: 2.9,
  margin: 0.1,
  verdict: "regressed",
  reason: "",
  n_baseline: 240,
  n_candidate: 233,
  units_baseline: 100,
  units_candidate: 97,
  needed: null,
  detectable: 0.2,
  p_value: 0.001,
  p_adjusted: 0.004,
  method: "ranks",
  coverage: 1,
  uncovered: 0,
  difference: 50,
  mix: 1,
  within: 49,
  baseline_filter: "a",
  candidate_filter: "b",
};
const RATE = { ...DURATION, metric: "error_rate", unit: "share", scale: "difference", margin: 0.005 };

function named(metric: string, verdict: string, guard: boolean, effect: number | null) {
  return { ...DURATION, metric, verdict, guard, effect };
}

test("metrics come worst first, deciding ones before the others, large effects before small ones", () => {
  const sorted = sortWorstFirst([
    named("a", "improved", true, -0.5),
    named("b", "equivalent", true, 0),
    named("c", "regressed", false, 9),
    named("d", "inconclusive", true, null),
    named("e", "regressed", true, 0.2),
    named("f", "regressed", true, 0.4),
  ]);
  expect(sorted.map((one) => one.metric)).toEqual(["f", "e", "c", "d", "b", "a"]);
  expect(readVerdict("a later server's word")).toBe("inconclusive");
});

test("numbers have their units, and an absent one is a dash", () => {
  expect(formatValue(20.6, "ms")).toBe("20.6 ms");
  expect(formatValue(0.2033, "share")).toBe("20.33 %");
  expect(formatValue(0.0000337, "usd")).toBe("$0.000034");
  expect(formatValue(12_345.6, "tokens")).toBe("12,346");
  expect(formatValue(4.3215, "spans")).toBe("4.32");
  expect(formatValue(null, "ms")).toBe("–");
  expect(formatEffect(2.5, DURATION)).toBe("+250.0 %");
  expect(formatEffect(-0.0599, RATE)).toBe("−5.99 points");
  expect(formatEffect(0, DURATION)).toBe("0.0 %");
  expect(formatInterval({ ...RATE, low: -0.01, high: null })).toBe("−1.00 to … points");
  expect(formatInterval({ ...RATE, low: null, high: null })).toBe("–");
  expect(formatMargin(DURATION)).toBe("±10.0 %");
  expect(formatMargin(RATE)).toBe("±0.50 points");
  expect(nameMetric("duration_p95")).toBe("duration p95");
  expect(nameMetric("cost_usd")).toBe("cost");
  expect(nameMetric("feedback.is_right")).toBe("is_right");
  expect(describeInterval(DURATION)).toContain("+250.0 %, interval +210.0 to +290.0 %, margin ±10.0 %");
});

test("inconclusive says how many more traces each version wants", () => {
  const open = { ...DURATION, verdict: "inconclusive", needed: 5769 };
  expect(countMissing(open)).toBe(5769 - 97);
  expect(countMissing({ ...open, needed: 90 })).toBeNull();
  expect(countMissing({ ...open, verdict: "regressed" })).toBeNull();
});

test("margins are one band in every row, and worse is to the right whichever way a metric counts", () => {
  const placed = placeInterval(DURATION);
  const rate = placeInterval(RATE);
  expect(placed?.margin).toEqual(rate?.margin);
  expect(placed?.margin[0]).toBeCloseTo(1 - (placed?.margin[1] ?? 0));
  expect(placed?.at).toBeGreaterThan(placed?.margin[1] ?? 1);
  expect(placed?.low).toBeLessThan(placed?.at ?? 0);
  const fewer = { ...RATE, better: "higher", effect: -0.1, low: -0.2, high: 0.01 };
  const liked = placeInterval(fewer);
  expect(liked?.at).toBeGreaterThan(0.5);
  expect(liked?.low).toBeLessThan(0.5);
  expect(liked?.margin[0]).toBeLessThan(liked?.margin[1] ?? 0);
});

test("an interval that goes on is drawn to the edge, and one that is not there not at all", () => {
  expect(placeInterval({ ...DURATION, high: null })).toMatchObject({ high: 1, isOpen: [false, true] });
  expect(placeInterval({ ...RATE, low: -9, high: 9 })).toMatchObject({ low: 0, high: 1, isOpen: [true, true] });
  expect(placeInterval({ ...DURATION, effect: null })).toBeNull();
  expect(placeInterval({ ...DURATION, margin: 0 })?.margin).toEqual([0.5, 0.5]);
  expect(placeInterval({ ...DURATION, effect: -1, low: -1, high: 0 })?.at).toBe(0);
});

test("sides are texts that the server reads, and a name that looks like another kind says its own", () => {
  expect(writeArm("version", "1.1.0")).toBe("1.1.0");
  expect(writeArm("version", "deadbeef")).toBe("version:deadbeef");
  expect(writeArm("version", "state = 'OK'")).toBe("version:state = 'OK'");
  expect(writeArm("branch", "main")).toBe("branch:main");
  expect(readArm("filter:name = 'a:b'")).toEqual({ kind: "filter", value: "name = 'a:b'" });
  expect(readArm("name = 'a:b'")).toEqual({ kind: null, value: "name = 'a:b'" });
  expect(readArm(writeArm("commit", "41d0c8b"))).toEqual({ kind: "commit", value: "41d0c8b" });
  expect(kindOf("app_version")).toBe("version");
  expect(shortenArm({ kind: "commit", value: "0123456789abcdef" })).toBe("0123456789ab");
  expect(shortenArm({ kind: "filter", value: "x".repeat(60) })).toHaveLength(40);
});

const SCOPE: ComparedScope = {
  baseline: "1.0.0",
  candidate: "1.1.0",
  environment: "production",
  filter: "name = 'it''s'",
  experimentIds: ["7"],
  time: parseLast("7d") ?? ALL_TIME,
};

test("the comparison as a program says all that the address says", () => {
  expect(writeCompareShell({ ...SCOPE, filter: "name = 'chat'" }, "http://127.0.0.1:1")).toBe(
    String.raw`whence compare --baseline 1.0.0 --candidate 1.1.0 --environment production --filter 'name = '\''chat'\''' --window 7d --experiment 7 --url http://127.0.0.1:1`,
  );
  const between = { kind: "between", sinceMs: 5, untilMs: 9 } as const;
  expect(writeCompareShell({ ...SCOPE, filter: "", time: between }, "u")).toContain(
    "--filter 'timestamp_ms >= 5 AND timestamp_ms < 9'",
  );
  const python = writeComparePython({ ...SCOPE, baseline: null }, "u");
  expect(python).toContain('candidate="1.1.0"');
  expect(python).toContain('window="7d"');
  expect(python).toContain('locations=["7"]');
  expect(writeCompareCurl(SCOPE, { sinceMs: 5, untilMs: null }, "u")).toContain("since=5");
});

test("an address says the whole view, and an empty one the newest version", () => {
  const view = { ...SCOPE, region: "40-60", metric: "error_rate" };
  expect(parseCompareUrl(splitHref(buildCompareUrl(view)))).toEqual(view);
  expect(buildCompareUrl({})).toBe("/compare");
  expect(parseCompareUrl(splitHref("/compare?baseline=+"))).toMatchObject({ baseline: null, filter: "" });
  expect(parseCompareUrl(splitHref("/compared"))).toBeNull();
});

test("what spans add is drawn around zero and said in words", () => {
  const span = {
    name: "rerank",
    difference_ms: 57.9,
    low_ms: 55,
    high_ms: 60,
    by_calls_ms: 0,
    by_mean_ms: 57.9,
  } as Explanation["spans"][number];
  const faster = { ...span, difference_ms: -14, low_ms: -20, high_ms: null };
  expect(boundsOf([span, faster])).toEqual([-20, 60]);
  expect(boundsOf([])).toEqual([0, 0]);
  expect(placeOn(0, -20, 60)).toBe("25.00%");
  expect(placeOn(0, 0, 0)).toBe("0%");
  expect(formatShift(-14)).toBe("−14.0 ms");
  expect(formatShift(0)).toBe("0 ms");
  expect(describeShare(-0.004)).toBe("0 %");
  expect(describeShare(1.5)).toBe("150 %");
  expect(describeShare(null)).toBe("–");
  expect(formatCalls(0.996, 0.797)).toBe("0.996 → 0.797");
  expect(formatCalls(1.000_000_1, 1)).toBe("1");
  expect(describeEffect(span)).toBe(
    "+57.9 ms (+55.0 ms to +60.0 ms): 0 ms by the number of calls, +57.9 ms by each call",
  );
});
