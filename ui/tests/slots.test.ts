import { expect, test } from "vitest";

import { reuseSlots } from "../src/model/slots";

function slotsOf(...lists: readonly (readonly string[])[]): number[] {
  let slots: ReadonlyMap<string | number | bigint, number> = new Map();
  for (const keys of lists) slots = reuseSlots(slots, keys);
  return [...slots.values()];
}

test("rows far away take the elements of those that left, in their order", () => {
  expect(slotsOf(["a", "b", "c"], ["x", "y", "z"])).toEqual([0, 1, 2]);
  expect(slotsOf(["a", "b", "c"], ["x", "y"], ["p", "q", "r"])).toEqual([0, 1, 2]);
});

test("a row keeps its element; one that comes in below takes that of the one that left above", () => {
  expect(slotsOf(["a", "b", "c"], ["b", "c", "d"])).toEqual([1, 2, 0]);
  expect(slotsOf(["a", "b", "c"], ["b", "c", "d"], ["b", "c", "d"])).toEqual([1, 2, 0]);
});

test("no element is moved for rows that come in above", () => {
  expect(slotsOf(["c", "d", "e"], ["b", "c", "d"])).toEqual([3, 0, 1]);
});

test("no two rows share an element", () => {
  let slots: ReadonlyMap<string | number | bigint, number> = new Map();
  for (const [from, to] of [[0, 9], [4, 12], [2, 14], [40, 44], [38, 50], [0, 3]] as const) {
    const keys = Array.from({ length: to - from }, (_, at) => from + at);
    slots = reuseSlots(slots, keys);
    expect([...slots.keys()]).toEqual(keys);
    expect(new Set(slots.values()).size).toBe(keys.length);
  }
});
