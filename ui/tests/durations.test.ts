import { expect, test } from "vitest";

import type { DurationDistribution, DurationRegion } from "../src/api/types";
import {
  drawAxis,
  drawSteps,
  findRegion,
  formatPart,
  nameRegion,
  placeRegion,
  writeRegion,
} from "../src/model/durations";

const ARM = {
  asked: "1.0.0",
  kind: "app_version",
  filter_string: "",
  traces: 4,
  used: 4,
  p50_ms: 10,
  p95_ms: 100,
  p99_ms: 100,
};

function region(low_ms: number, high_ms: number): DurationRegion {
  return { low_ms, high_ms, baseline: 1, candidate: 2, baseline_filter: "a", candidate_filter: "b" };
}

function found(at_ms: number[], shares: number[], regions: DurationRegion[] = []): DurationDistribution {
  return {
    baseline: ARM,
    candidate: ARM,
    at_ms,
    baseline_shares: shares,
    candidate_shares: shares,
    regions,
    exact: true,
    elapsed_ms: 1,
  };
}

test("the axis is logarithmic, has a little air, and round ticks", () => {
  const axis = drawAxis(found([10, 100, 1000], [0.5, 0.75, 1]));
  expect(axis?.place(1000)).toBeCloseTo(1 - (axis?.place(10) ?? 0));
  expect(axis?.place(100)).toBeCloseTo(0.5);
  expect(axis?.ticks.map((tick) => tick.text)).toEqual(
    ["10 ms", "20 ms", "50 ms", "100 ms", "200 ms", "500 ms", "1 s"],
  );
  expect(axis?.place(1e9)).toBe(1);
  expect(axis?.place(0)).toBe(0);
});

test.each([
  [[0.05, 3_600_000]],
  [[0, 5]],
  [[42, 42]],
  [[700, 1900]],
])("durations of %j ms have between one and nine ticks", (ends) => {
  const axis = drawAxis(found(ends, [0.5, 1]));
  expect(axis?.ticks.length).toBeLessThanOrEqual(9);
  expect(axis?.ticks.length).toBeGreaterThan(ends[0] === ends[1] ? -1 : 0);
  expect(axis?.ticks.every(({ at }) => at >= 0 && at <= 1)).toBe(true);
});

test("no duration, no axis", () => {
  expect(drawAxis(found([], []))).toBeNull();
});

test("steps begin below and rise at each duration to its share", () => {
  const answer = found([10, 1000], [0.5, 1]);
  const axis = drawAxis(answer);
  if (axis === null) throw new Error("no axis");
  const path = drawSteps(axis, answer.at_ms, answer.baseline_shares, 100, 50);
  expect(path).toMatch(/^M0 50\.0H\d\.\dV25\.0H9\d\.\dV0\.0H100$/);
});

test("regions lie on the axis and stand in the address", () => {
  const regions = [region(0, 20), region(20, 60), region(60, 1001)];
  const axis = drawAxis(found([10, 1000], [0.5, 1]));
  if (axis === null) throw new Error("no axis");
  expect(placeRegion(axis, region(0, 20))[0]).toBe(0);
  expect(nameRegion(region(60, 1001))).toBe("60 ms – 1.00 s");
  expect(writeRegion(region(20, 60))).toBe("20-60");
  expect(findRegion(regions, "20-60")).toBe(regions[1]);
  expect(findRegion(regions, "18-30")).toBe(regions[1]); // the traces have changed since
  expect(findRegion(regions, "5000-6000")).toBeNull();
  expect(findRegion(regions, "20-")).toBeNull();
  expect(findRegion(regions, null)).toBeNull();
});

test("a part of nothing is only its number", () => {
  expect(formatPart(12, 240)).toBe("12 (5.0 %)");
  expect(formatPart(0, 0)).toBe("0");
});
