import { expect, test } from "vitest";

import type { Comparison, Timeline } from "../src/api/types";
import { chooseMetric, coverBoth, drawPath, frame, listMarkers, listPoints } from "../src/model/overTime";

function timeline(values: (number | null)[], from_ms = 0): Timeline {
  const series = [
    { kind: "all", group: null, traces: 9, values, counts: values.map((one) => (one === null ? 0 : 3)), filter_string: "" },
  ];
  return {
    from_ms,
    until_ms: from_ms + values.length * 1000,
    bucket_ms: 1000,
    enough_traces: 4,
    series: values.length === 0 ? [] : series,
    markers: [],
  } as unknown as Timeline;
}

function marker(at_ms: number, app_version: string | null, commit: string | null = null) {
  return { at_ms, app_version, commit, environment: null, traces: 1 };
}

function comparison(...metrics: [string, string][]): Comparison {
  const rows = metrics.map(([metric, verdict]) => ({ metric, verdict, guard: true }));
  return { metrics: rows } as unknown as Comparison;
}

function arms(...ends: [number | null, number | null][]): Comparison {
  const [baseline, candidate] = ends.map(([first_seen_ms, last_seen_ms]) => ({ first_seen_ms, last_seen_ms }));
  return { baseline, candidate } as unknown as Comparison;
}

test("both sides share round axes that begin at zero", () => {
  const plot = frame([timeline([10, 69]), timeline([20, null, 30], 1000), timeline([])]);
  expect(plot).toEqual({ fromMs: 0, untilMs: 4000, top: 80, steps: [0, 20, 40, 60, 80] });
  expect(frame([timeline([0, 0])])?.steps).toEqual([0, 1]);
  expect(frame([timeline([])])).toBeNull();
});

test("points stand in the middle of their buckets, and a gap breaks the line", () => {
  const one = timeline([40, null, 80, 20]);
  const plot = frame([one]);
  if (plot === null) throw new Error("no plot");
  const points = listPoints(one, plot);
  expect(points[1]).toBeNull();
  expect(points[0]).toMatchObject({ x: 0.125, y: 0.5, isNoise: true, sinceMs: 0, untilMs: 1000 });
  expect(drawPath(points, 100, 10)).toBe("M12.5 5.0M62.5 0.0L87.5 7.5");
});

test("versions that began together are one marker, and near ones stand at other heights", () => {
  const one = {
    ...timeline([1, 1, 1, 1]),
    markers: [
      marker(3000, null, "0123456789"),
      marker(1010, "2"),
      marker(1000, "1"),
      marker(1010, "2"),
      marker(1200, "3"),
      marker(-5, "0"),
      marker(2000, null),
    ],
  };
  const plot = frame([one]);
  if (plot === null) throw new Error("no plot");
  expect(listMarkers(one, plot).map(({ versions, level }) => [versions, level])).toEqual([
    [["1", "2"], 0],
    [["3"], 1],
    [["0123456"], 0],
  ]);
});

test("what regressed is drawn unless the address says otherwise", () => {
  const found = comparison(["total_tokens", "equivalent"], ["duration", "regressed"]);
  expect(chooseMetric(null, found)).toBe("duration_p50");
  expect(chooseMetric("error_rate", found)).toBe("error_rate");
  expect(chooseMetric("nonsense", found)).toBe("duration_p50");
  expect(chooseMetric(null, comparison(["feedback.x", "regressed"]))).toBe("duration_p50");
});

test("the time drawn covers both sides", () => {
  expect(coverBoth(arms([5, 9], [2, 7]))).toEqual({ sinceMs: 2, untilMs: 10 });
  expect(coverBoth(arms([5, 9], [null, null]))).toBeNull();
});
