import { expect, test } from "vitest";

import type { Trace } from "../src/api/types";
import { layOutFlame } from "../src/model/flame";
import { drawMinimap } from "../src/model/minimap";
import { writeOtlp } from "../src/model/otlp";
import { findCriticalPath, joinStretches, listSelfStretches, measureStretches } from "../src/model/ownTime";
import { listPinned, togglePin, writePill } from "../src/model/pinned";
import { findCommitPage, findRepositoryPage } from "../src/model/repository";
import { findOddities } from "../src/model/spanFacts";
import { filterNodes, findNodes } from "../src/model/spanSearch";
import { summariseNames } from "../src/model/spanStatistics";
import { buildTree, listNodes, listRows } from "../src/model/spanTree";
import { clampSight, findExtent, fit, isWhole, pan, placeBar, readTimes, WHOLE, zoom } from "../src/model/timeline";
import { describeLine, listLog, sortByStart } from "../src/model/traceLog";
import { makeSpan } from "./spans";

function arrange(spans: Parameters<typeof buildTree>[0]) {
  const roots = buildTree(spans);
  const nodes = listNodes(roots);
  const extent = findExtent(spans, null);
  const times = readTimes(nodes, extent);
  return { roots, nodes, extent, times, path: findCriticalPath(roots, times) };
}

function at(spanId: string, parentId: string | null, start: number, end: number, values = {}) {
  const times = { start_time_ns: String(1000 + start), end_time_ns: String(1000 + end) };
  return makeSpan(spanId, parentId, { ...times, ...values });
}

const SPANS = [
  at("root", null, 0, 100),
  at("a", "root", 10, 40),
  at("b", "root", 30, 70, { status: "ERROR", name: "fetch" }),
  at("c", "b", 50, 60, { name: "fetch", span_type: "TOOL", attributes: { city: "Oslo" } }),
];

test("self time is what no child covers, and the critical path adds up to the root", () => {
  const { nodes, times, path } = arrange(SPANS);
  const self = nodes.map((node) => measureStretches(listSelfStretches(node, times)));
  expect(self).toEqual([40, 30, 30, 10]);
  expect(nodes.map((node) => path.get(node))).toEqual([
    [[0, 10], [70, 100]],
    [[10, 30]],
    [[30, 50], [60, 70]],
    [[50, 60]],
  ]);
  expect([...path.values()].reduce((sum, one) => sum + measureStretches(one), 0)).toBe(100);
});

test("an orphan is waited for by the root, and its missing parent owns no time", () => {
  const { nodes, path } = arrange([at("root", null, 0, 100), at("orphan", "lost", 20, 30)]);
  const owners = nodes.filter((node) => path.has(node)).map((node) => node.key);
  expect(owners).toEqual(["root/0", "orphan/1"]);
  expect(measureStretches([...path.values()].flat())).toBe(100);
});

test("stretches close together are drawn as one", () => {
  expect(joinStretches([[0, 10], [11, 20], [40, 50]], 5)).toEqual([[0, 20], [40, 50]]);
});

test("zooming keeps the point under the pointer and never leaves the trace", () => {
  const closer = zoom(WHOLE, 0.5, 0.25, 1e9);
  expect(closer).toEqual({ from: 0.125, to: 0.625 });
  expect(zoom(closer, 0.5, 0, 1e9).from).toBe(0.125);
  expect(isWhole(zoom(closer, 100, 0.5, 1e9))).toBe(true);
  expect(pan({ from: 0.5, to: 0.9 }, 1)).toEqual({ from: 0.6, to: 1 });
  const deep = clampSight({ from: 0.5, to: 0.5 }, 1e9);
  expect((deep.to - deep.from) * 1e9).toBeGreaterThanOrEqual(10);
  const fitted = fit({ start: 100, end: 200 }, 1000);
  expect([fitted.from, fitted.to].map((one) => one.toFixed(4))).toEqual(["0.0950", "0.2050"]);
});

test("a bar beside what is in sight is out, and one across it fills the lane", () => {
  const sight = { from: 0.4, to: 0.6 };
  expect(placeBar(0, 100, 1000, sight).isOut).toBe(true);
  expect(placeBar(0, 1000, 1000, sight)).toEqual({ left: 0, width: 1, isOut: false });
});

test("10,000 spans become a minimap of a few short paths, failures on top", () => {
  const spans = Array.from({ length: 10_000 }, (_, index) =>
    at(`s${index}`, index === 0 ? null : "s0", index, index + 1, { status: index === 7000 ? "ERROR" : "OK" }),
  );
  const { nodes, times, extent } = arrange(spans);
  const paths = drawMinimap(nodes, times, extent.lengthNs, 400, 26);
  expect(paths.map((one) => one.colour)).toEqual(["var(--error)", "var(--type-plain)"]);
  expect(paths.reduce((sum, one) => sum + one.path.length, 0)).toBeLessThan(26 * 400 * 12);
});

test("a text is found in names, attributes and payloads, whatever its case", () => {
  const { nodes } = arrange([...SPANS, at("d", "root", 80, 90, { outputs: { answer: ["In OSLO"] } })]);
  expect([...(findNodes(nodes, "oslo") ?? [])].map((node) => node.spanId)).toEqual(["c", "d"]);
  expect(findNodes(nodes, "  ")).toBeNull();
});

test("a filter keeps what fits and everything above it", () => {
  const { roots, nodes } = arrange(SPANS);
  const filtered = filterNodes(nodes, { onlyErrors: false, types: ["TOOL"] });
  const rows = listRows(roots, new Set(), filtered?.kept ?? null);
  expect(rows.map(({ node }) => node.spanId)).toEqual(["root", "b", "c"]);
  expect([...(filtered?.fits ?? [])].map((node) => node.spanId)).toEqual(["c"]);
  expect(filterNodes(nodes, { onlyErrors: false, types: [] })).toBeNull();
});

test("missing parents and clocks that disagree are counted", () => {
  const { nodes, times } = arrange([
    at("root", null, 5000, 9000),
    at("early", "root", 1000, 6000),
    at("orphan", "lost", 6000, 7000),
  ]);
  expect(findOddities(nodes, times)).toMatchObject({
    missingParents: 1,
    orphans: 1,
    early: 1,
    mostEarlyNs: 4000,
  });
});

test("spans are summed up by name, the most self time first", () => {
  const { nodes, times, path } = arrange(SPANS);
  const found = summariseNames(nodes, times, path);
  expect(found.map((one) => [one.name, one.count, one.errors, one.totalNs, one.selfNs])).toEqual([
    ["root", 1, 0, 100, 40],
    ["fetch", 2, 1, 50, 40],
    ["a", 1, 0, 30, 30],
  ]);
  expect(found[1]).toMatchObject({ p50Ns: 10, p95Ns: 40 });
});

test("a flame has a row for each depth, and spans that overlap do not hide each other", () => {
  const { roots, times, extent } = arrange(SPANS);
  const { boxes } = layOutFlame(roots, times, extent.lengthNs, WHOLE, 1 / 1500);
  expect(boxes.map((box) => [box.node.spanId, box.row])).toEqual([["root", 0], ["a", 1], ["b", 2], ["c", 3]]);
  const many = Array.from({ length: 5000 }, (_, index) => at(`s${index}`, index === 0 ? null : "s0", index, index === 0 ? 5000 : index + 1));
  const wide = arrange(many);
  expect(layOutFlame(wide.roots, wide.times, wide.extent.lengthNs, WHOLE, 1 / 1000).boxes.length).toBeLessThan(1100);
});

test.each([
  ["https://github.com/acme/shop.git", "https://github.com/acme/shop"],
  ["git@github.com:acme/shop.git", "https://github.com/acme/shop"],
  ["ssh://git@git.example.org:2222/acme/shop", "https://git.example.org/acme/shop"],
  ["https://user:secret@host.example:8443/a/b/", "https://host.example:8443/a/b"],
  ["/srv/git/shop.git", null],
  ["javascript:alert(1)//a/b", null],
  ["https://", null],
])("the repository %s is at %s", (address, page) => {
  expect(findRepositoryPage(address)).toBe(page);
});

test("a commit's page lies where its host keeps it", () => {
  const commit = "9f2c4e7a1b3d5f60718293a4b5c6d7e8f9012345";
  expect(findCommitPage("git@gitlab.com:a/b.git", commit)).toBe(`https://gitlab.com/a/b/-/commit/${commit}`);
  expect(findCommitPage("https://bitbucket.org/a/b", commit)).toBe(`https://bitbucket.org/a/b/commits/${commit}`);
  expect(findCommitPage("https://git.example/a/b", commit)).toBe(`https://git.example/a/b/commit/${commit}`);
  expect(findCommitPage("https://git.example/a/b", "main")).toBeNull();
});

test("a trace becomes an OTLP request with its times, types and context", () => {
  const spans = [at("00000000000000aa", null, 0, 9, { inputs: { q: [1, 2.5, null, true] }, resource: { "service.name": "x" } })];
  const info = { trace_id: `tr-${"ab".repeat(16)}`, experiment_id: "0", trace_metadata: { app_version: "1" }, tags: { team: "s" } };
  const written = writeOtlp({ info, spans, conflicts: [] } as unknown as Trace);
  const span = (written as { resourceSpans: { scopeSpans: { spans: Record<string, unknown>[] }[] }[] }).resourceSpans[0]?.scopeSpans[0]?.spans[0];
  expect(span).toMatchObject({ traceId: "ab".repeat(16), startTimeUnixNano: "1000", kind: 1, status: { code: 1 } });
  expect(span?.["attributes"]).toEqual([
    { key: "whence.metadata.app_version", value: { stringValue: "1" } },
    { key: "mlflow.traceTag.team", value: { stringValue: "s" } },
    { key: "whence.inputs", value: { stringValue: '{"q":[1,2.5,null,true]}' } },
  ]);
  const foreign = { info: { ...info, trace_id: "request 7" }, spans, conflicts: [] } as unknown as Trace;
  expect(writeOtlp(foreign)).toBeNull();
});

test("a log has spans where they began and events where they happened", () => {
  const failed = { "exception.type": "TimeoutError", "exception.message": "no  answer" };
  const spans = [
    at("root", null, 0, 100, { inputs: { q: 1 }, outputs: "done" }),
    at("late", "root", 50, 60),
    at("first", "root", 10, 90, {
      status: "ERROR",
      status_message: "it failed",
      events: [
        { name: "exception", time_ns: "1080", attributes: failed },
        { name: "retry", time_ns: "1020", attributes: { attempt: 2, wait: "1 s" } },
      ],
    }),
    at("lost", "gone", 95, 96),
  ];
  const { roots, times, extent } = arrange(spans);
  const rows = sortByStart(listRows(roots, new Set(), null), times);
  expect(rows.map(({ node }) => node.spanId)).toEqual(["root", "first", "late", "lost"]);
  const lines = listLog(rows, times, extent.startNs);
  expect(lines.map(({ atNs, row, event }) => [atNs, row.node.spanId, event?.name ?? ""])).toEqual([
    [0, "root", ""], [10, "first", ""], [20, "first", "retry"], [50, "late", ""],
    [80, "first", "exception"], [95, "lost", ""],
  ]);
  expect(lines.map(describeLine)).toEqual([
    '{"q":1} → done', "it failed", "attempt=2 wait=1 s", "", "TimeoutError: no answer", "",
  ]);
  expect(new Set(lines.map(({ key }) => key)).size).toBe(lines.length);
});

test("pinned attributes are those that a span has, of its own or of its resource", () => {
  const span = at("a", null, 0, 1, { attributes: { city: "Oslo", n: 0 }, resource: { host: "h1", city: "Rome" } });
  expect(listPinned(span, ["host", "n", "absent", "city"])).toEqual([["host", "h1"], ["n", "0"], ["city", "Oslo"]]);
  expect(togglePin(["a", "b"], "a")).toEqual(["b"]);
  expect(togglePin(["1", "2", "3", "4", "5", "6", "7", "8"], "9")).toHaveLength(8);
  expect(writePill("x".repeat(100))).toHaveLength(40);
});
