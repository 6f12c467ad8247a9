import { expect, test } from "vitest";

import type { TraceInfo } from "../src/api/types";
import { listFirstContext, listOtherMetadata, listTags } from "../src/model/context";
import { toLine, toText } from "../src/model/json";
import { nextOrder, sortDirection } from "../src/model/order";
import { refreshEveryMs } from "../src/model/refresh";
import { findShortcut } from "../src/model/shortcuts";
import { buildTree, listNodes } from "../src/model/spanTree";
import { findExtent, listTicks, placeBar, readTimes, WHOLE } from "../src/model/timeline";
import { buildTraceUrl, parseTraceUrl } from "../src/pages/trace/url";
import { buildTracesUrl, parseTracesUrl } from "../src/pages/traces/url";
import { makeSpan } from "./spans";

const START = 1_795_426_890_904_743_000n;

function makeInfo(values: Partial<TraceInfo>): TraceInfo {
  const absent = {
    name: null,
    duration_ns: null,
    client_request_id: null,
    request_preview: null,
    response_preview: null,
    environment: null,
    app_version: null,
    commit: null,
    branch: null,
    session: null,
    user: null,
    input_tokens: null,
    output_tokens: null,
    total_tokens: null,
    cost_usd: null,
  };
  return {
    trace_id: "tr-1",
    experiment_id: "0",
    state: "OK",
    request_time_ms: 0,
    trace_metadata: {},
    provenance: {},
    tags: {},
    assessments: [],
    span_count: 1,
    error_count: 0,
    size_bytes: 1,
    models: [],
    ...absent,
    ...values,
  };
}

function timesOf(spans: Parameters<typeof buildTree>[0], nowNs: bigint | null = null) {
  const extent = findExtent(spans, nowNs);
  const nodes = listNodes(buildTree(spans));
  const times = readTimes(nodes, extent);
  return { extent, times: nodes.map((node) => times.get(node)) };
}

test("bars are exact where a plain number of nanoseconds would round", () => {
  const root = makeSpan("r", null, { start_time_ns: `${START}`, end_time_ns: `${START + 1000n}` });
  const child = makeSpan("c", "r", { start_time_ns: `${START + 1n}`, end_time_ns: `${START + 4n}` });
  const { extent, times } = timesOf([root, child]);
  expect(extent).toEqual({ startNs: START, lengthNs: 1000 });
  expect(times[1]).toEqual({ start: 1, end: 4, isOpen: false });
  expect(placeBar(1, 4, 1000, WHOLE)).toEqual({ left: 0.001, width: 0.003, isOut: false });
});

test("a running span reaches to now, and a skewed one stays inside", () => {
  const open = makeSpan("o", null, { start_time_ns: "1000", end_time_ns: null });
  expect(timesOf([open], 3000n).times[0]).toEqual({ start: 0, end: 2000, isOpen: true });
  const skewed = makeSpan("s", null, { start_time_ns: "2900", end_time_ns: "2000" });
  expect(timesOf([skewed]).times[0]).toEqual({ start: 0, end: 0, isOpen: false });
  expect(findExtent([], null).lengthNs).toBe(1);
});

test("ticks are round and few", () => {
  expect(listTicks(1_224_000_000, 5)).toEqual([0, 500_000_000, 1_000_000_000]);
  expect(listTicks(1, 5).length).toBeLessThanOrEqual(6);
  const [second, minute] = [1e9, 60e9];
  expect(listTicks(370 * second, 5)).toEqual([0, 1, 2, 3].map((count) => count * 2 * minute));
  expect(listTicks(50 * second, 5)).toEqual([0, 1, 2, 3, 4, 5].map((count) => count * 10 * second));
  for (let length = 1; length < 1e16; length *= 3) {
    expect(listTicks(length, 5).length).toBeLessThanOrEqual(6);
  }
});

test("where a trace came from stands first, and each row finds its like", () => {
  const info = makeInfo({
    environment: "production",
    user: "u'1",
    commit: "abc",
    trace_metadata: {
      environment: "Prod",
      "mlflow.trace.user": "u'1",
      region: "eu",
      "a.key": "x".repeat(8000),
      "whence.truncated": "a.key",
    },
    provenance: { environment: "env APP_ENVIRONMENT", region: "resource cloud.region" },
    tags: { team: "blue" },
  });
  expect(listFirstContext(info)).toEqual([
    {
      label: "environment",
      value: "production",
      condition: "environment = 'production'",
      note: "recorded as Prod · env APP_ENVIRONMENT",
    },
    { label: "commit", value: "abc", condition: "commit = 'abc'" },
    { label: "user", value: "u'1", condition: `user = "u'1"` },
  ]);
  const others = listOtherMetadata(info);
  expect(others.map((row) => row.label)).toEqual(["a.key", "region", "whence.truncated"]);
  expect(others[0]).toMatchObject({ condition: null, note: "cut: the value was longer" });
  expect(others[1]).toMatchObject({
    condition: "metadata.region = 'eu'",
    note: "resource cloud.region",
  });
  expect(listTags(info)[0]?.condition).toBe("tags.team = 'blue'");
});

test("a click on a column sorts down, then up, then not", () => {
  expect(nextOrder([], "execution_time_ms")).toEqual(["execution_time_ms DESC"]);
  expect(nextOrder(["execution_time_ms DESC"], "execution_time_ms")).toEqual(["execution_time_ms ASC"]);
  expect(nextOrder(["execution_time_ms ASC"], "execution_time_ms")).toEqual([]);
  expect(sortDirection([], "timestamp_ms")).toBe("DESC");
  expect(sortDirection(["name"], "name")).toBe("ASC");
});

test("a running trace is asked for often at first, seldom later, not at all once it ended", () => {
  const info = { state: "IN_PROGRESS", request_time_ms: 0 } as const;
  expect([1_000, 100_000, 9e6].map((now) => refreshEveryMs(info, now))).toEqual([1_000, 3_000, 30_000]);
  expect(refreshEveryMs({ ...info, state: "OK" }, 0)).toBe(false);
  expect(refreshEveryMs(undefined, 0)).toBe(false);
});

test("shortcuts leave typing and the browser's own keys alone", () => {
  const table = [
    { keys: ["j"], does: "Next", run: () => undefined },
    { keys: ["Escape"], does: "Leave", run: () => undefined, inFields: true },
  ];
  const press = { key: "j", ctrlKey: false, metaKey: false, altKey: false };
  expect(findShortcut(table, press, false)?.does).toBe("Next");
  expect(findShortcut(table, press, true)).toBeNull();
  expect(findShortcut(table, { ...press, ctrlKey: true }, false)).toBeNull();
  expect(findShortcut(table, { ...press, key: "Escape" }, true)?.does).toBe("Leave");
});

test("each page reads the address that it builds", () => {
  const list = { filter: "name = 'a&b' AND x = '%'", orderBy: ["name ASC"], experimentIds: ["1", "2"] };
  const [path = "", search = ""] = buildTracesUrl(list).split("?");
  expect(parseTracesUrl({ path, search })).toMatchObject(list);
  expect(parseTracesUrl({ path: "/", search: "" })?.filter).toBe("");
  expect(buildTracesUrl({})).toBe("/traces");
  const trace = { traceId: "odd id/%", spanId: "00ff", tab: "io" as const, find: "a & b", onlyErrors: true, types: ["LLM", "TOOL"], chart: "flame" as const };
  const [tracePath = "", traceSearch = ""] = buildTraceUrl(trace).split("?");
  expect(parseTraceUrl({ path: tracePath, search: traceSearch })).toEqual(trace);
  expect(parseTraceUrl({ path: "/traces/%", search: "" })?.traceId).toBe("%");
  expect(parseTraceUrl({ path: "/traces/a/b", search: "" })).toBeNull();
});

test("a value stands on one line, or as the text that it is", () => {
  expect(toText("as it is")).toBe("as it is");
  expect(toText({ a: [1] })).toBe('{\n  "a": [\n    1\n  ]\n}');
  expect(toLine("two\nlines here", 9)).toBe("two line…");
});
