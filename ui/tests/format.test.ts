import { expect, test } from "vitest";

import {
  formatAge,
  formatBytes,
  formatCost,
  formatCount,
  formatDuration,
  formatExactTime,
  formatNumberOf,
  formatTick,
  formatTime,
  nameSpan,
  nameTrace,
  shortenCommit,
} from "../src/model/format";

test.each([
  [null, "–"],
  [0, "0 ms"],
  [420, "420 ns"],
  [1_500, "1.50 µs"],
  [999_600, "1.00 ms"],
  [24_000_000, "24.0 ms"],
  [833_400_000, "833 ms"],
  [999_900_000, "1.00 s"],
  [1_224_000_000, "1.22 s"],
  [59_940_000_000, "59.9 s"],
  [61_000_000_000, "1 min 1 s"],
  [3_725_000_000_000, "1 h 2 min"],
])("the duration %s is shown as %s", (ns, shown) => {
  expect(formatDuration(ns)).toBe(shown);
});

test("an axis says its round times shortly", () => {
  expect([0, 20e6, 300e9, 305e9, 3600e9, 5400e9].map(formatTick)).toEqual([
    "0 ms",
    "20.0 ms",
    "5 min",
    "5 min 5 s",
    "1 h",
    "1 h 30 min",
  ]);
});

test("a blank name is still something to read", () => {
  expect(nameSpan("  ")).toBe("(no name)");
  expect(nameTrace({ name: "", trace_id: "tr-1" })).toBe("(no name)");
  expect(nameTrace({ name: null, trace_id: "tr-1" })).toBe("tr-1");
  expect(nameTrace({ name: "chat", trace_id: "tr-1" })).toBe("chat");
});

test("counts, money and sizes have their units, and absence is not zero", () => {
  expect(formatCount(1234567)).toBe("1,234,567");
  expect(formatCount(null)).toBe("–");
  expect(formatNumberOf(1, "trace")).toBe("1 trace");
  expect([0, 0.00001234, 0.0046, 12.5].map(formatCost)).toEqual(["$0", "$0.000012", "$0.0046", "$12.50"]);
  expect(formatCost(null)).toBe("–");
  expect([999, 30_000, 5_000_000].map(formatBytes)).toEqual(["999 B", "30.0 kB", "5.00 MB"]);
});

test("a time says its date only where it is not today's", () => {
  const now = new Date(2026, 10, 23, 12, 0, 0).getTime();
  expect(formatTime(new Date(2026, 10, 23, 9, 5, 7).getTime(), now)).toBe("09:05:07");
  expect(formatTime(new Date(2026, 10, 22, 9, 5, 7).getTime(), now)).toBe("Nov 22 09:05:07");
  expect(formatTime(new Date(2025, 0, 2, 9, 5, 7).getTime(), now)).toBe("2025-01-02 09:05:07");
});

test("an age is rough, and an impossible time is no crash", () => {
  expect([5_000, 200_000, 7_200_000, 200_000_000].map(formatAge)).toEqual([
    "5 s ago",
    "3 min ago",
    "2 h ago",
    "2 d ago",
  ]);
  expect(formatAge(-1)).toBe("in the future");
  expect(formatExactTime(9e18, 0)).toBe("9000000000000000000");
});

test("a commit is shortened and another text is not", () => {
  expect(shortenCommit("9f2c4e7a1b3d5f60718293a4b5c6d7e8f9012345")).toBe("9f2c4e7a1b3d");
  expect(shortenCommit("release-2026-11")).toBe("release-2026-11");
});
