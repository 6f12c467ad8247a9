import { expect, test } from "vitest";

import { buildTree, compareNs, listAncestors, listNodes, listParents, listRows } from "../src/model/spanTree";
import { makeSpan } from "./spans";

const NOTHING: ReadonlySet<string> = new Set();

function draw(spans: Parameters<typeof buildTree>[0], collapsed = NOTHING): string[] {
  return listRows(buildTree(spans), collapsed).map(({ node, depth }) => {
    return `${"  ".repeat(depth)}${node.span === null ? "?" : ""}${node.spanId}`;
  });
}

test("children stand under their parent, by start time", () => {
  const spans = [
    makeSpan("late", "root", { start_time_ns: "10000" }),
    makeSpan("root", null, { start_time_ns: "900" }),
    makeSpan("early", "root", { start_time_ns: "2000" }),
    makeSpan("leaf", "early"),
  ];
  expect(draw(spans)).toEqual(["root", "  early", "    leaf", "  late"]);
});

test("a parent that was not recorded has a row of its own", () => {
  const spans = [makeSpan("root", null), makeSpan("a", "lost"), makeSpan("b", "lost")];
  expect(draw(spans)).toEqual(["root", "?lost", "  a", "  b"]);
});

test("a circle of parents is cut and nothing is lost", () => {
  const spans = [
    makeSpan("root", null),
    makeSpan("b", "a", { start_time_ns: "3000" }),
    makeSpan("a", "b", { start_time_ns: "2000" }),
    makeSpan("self", "self", { start_time_ns: "4000" }),
  ];
  expect(draw(spans)).toEqual(["root", "a", "  b", "self"]);
});

test("a circle is cut also where a parent is missing elsewhere", () => {
  const spans = [makeSpan("a", "b"), makeSpan("b", "a", { start_time_ns: "3000" }), makeSpan("c", "lost")];
  expect(draw(spans).map((row) => row.trim()).toSorted()).toEqual(["?lost", "a", "b", "c"]);
});

test("a span id that comes twice gives two rows with different keys", () => {
  const rows = listRows(buildTree([makeSpan("x", null), makeSpan("x", null)]), NOTHING);
  expect(new Set(rows.map((row) => row.node.key)).size).toBe(2);
});

test("a failure below shows on every node above it, and not on its neighbours", () => {
  const roots = buildTree([
    makeSpan("root", null),
    makeSpan("good", "root"),
    makeSpan("bad", "root", { start_time_ns: "1001" }),
    makeSpan("deep", "bad", { status: "ERROR" }),
  ]);
  const flags = listRows(roots, NOTHING).map(({ node }) => [node.spanId, node.errorBelow]);
  expect(flags).toEqual([["root", true], ["good", false], ["bad", true], ["deep", false]]);
});

test("collapsing hides what is below and keeps its count", () => {
  const spans = [makeSpan("root", null), makeSpan("a", "root"), makeSpan("b", "a")];
  const roots = buildTree(spans);
  const rows = listRows(roots, new Set(listParents(roots)));
  expect(rows.map(({ node }) => [node.spanId, node.descendantCount])).toEqual([["root", 2]]);
  const deepest = listNodes(roots)[2];
  expect(deepest === undefined ? null : listAncestors(deepest)).toEqual(["root/0", "a/1"]);
});

test("a chain of 10,000 spans and a fan of 10,000 spans are built without recursion", () => {
  const chain = Array.from({ length: 10_000 }, (_, index) =>
    makeSpan(`s${index}`, index === 0 ? null : `s${index - 1}`),
  );
  expect(draw(chain).length).toBe(10_000);
  const fan = Array.from({ length: 10_000 }, (_, index) =>
    makeSpan(`s${index}`, index === 0 ? null : "s0"),
  );
  expect(buildTree(fan)[0]?.descendantCount).toBe(9_999);
});

test("nanoseconds compare as numbers, not as text", () => {
  expect(compareNs("999", "1000")).toBeLessThan(0);
  expect(compareNs("1795426890904743675", "1795426890904743674")).toBeGreaterThan(0);
  expect(compareNs("7", "7")).toBe(0);
});
