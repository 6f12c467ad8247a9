import { expect, test } from "vitest";

import type { TraceInfo, TraceSeries } from "../src/api/types";
import { moveColumn, readChoice, resizeColumn, toggleColumn } from "../src/model/columns";
import { findCommands, readTraceId } from "../src/model/commands";
import { describeBar, drawHistogram, findBrushed, listTicks } from "../src/model/histogram";
import { addRecent, readTexts } from "../src/model/kept";
import { arrive, joinArrivals, NO_ARRIVALS, rateOf, readEvents, release } from "../src/model/live";
import { formatLasted, groupBySession, listRows } from "../src/model/sessions";
import { quoteShell, writeCurl, writePython, writeShell } from "../src/model/snippets";
import { describeTime, findBounds, fromLocalField, parseLast, readTime, toLocalField, writeTime } from "../src/model/time";
import { buildTracesUrl, EVERYTHING, parseTracesUrl } from "../src/pages/traces/url";

function info(id: string, ms: number, more: Partial<TraceInfo> = {}): TraceInfo {
  const absent = { name: null, duration_ns: null, client_request_id: null, request_preview: null };
  const unknown = { response_preview: null, environment: null, app_version: null, commit: null };
  const counts = { input_tokens: null, output_tokens: null, total_tokens: null, cost_usd: null };
  return {
    trace_id: id, experiment_id: "0", state: "OK", request_time_ms: ms, branch: null, session: null,
    user: null, trace_metadata: {}, provenance: {}, tags: {}, assessments: [], span_count: 1,
    error_count: 0, size_bytes: 1, models: [], ...absent, ...unknown, ...counts, ...more,
  };
}

test("an address says what the view is, and the view the address", () => {
  const view = {
    ...EVERYTHING,
    filter: "environment = 'ä & b'",
    orderBy: ["execution_time_ms DESC"],
    experimentIds: ["0", "7"],
    time: { kind: "last", text: "24h", ms: 86_400_000 } as const,
    split: "app_version" as const,
    isGrouped: true,
    isLive: true,
  };
  const [path = "", search = ""] = buildTracesUrl(view).split("?");
  expect(parseTracesUrl({ path, search: `?${search}` })).toEqual(view);
  expect(buildTracesUrl({})).toBe("/traces");
  expect(parseTracesUrl({ path: "/traces", search: "?time=9x&since=z&split=no" })).toEqual(EVERYTHING);
});

test("times are relative, absolute, or all there are; nonsense is all", () => {
  expect(findBounds(parseLast("15m") ?? { kind: "all" }, 1_000_000)).toEqual({ sinceMs: 100_000, untilMs: null });
  expect(readTime(new URLSearchParams("since=5&until=5"))).toEqual({ kind: "all" });
  const between = { kind: "between", sinceMs: 5, untilMs: null } as const;
  const params = new URLSearchParams();
  writeTime(between, params);
  expect(readTime(params)).toEqual(between);
  expect(parseLast("0h")).toBeNull();
  expect(describeTime({ kind: "last", text: "7d", ms: 1 })).toBe("Last 7 days");
  const ms = new Date(2026, 10, 23, 21, 50, 7).getTime();
  expect(fromLocalField(toLocalField(ms))).toBe(ms);
});

const SERIES: TraceSeries = {
  from_ms: 0, until_ms: 40_000, bucket_ms: 10_000, counted_from_ms: null, total: 6, elapsed_ms: 1,
  lines: [
    { kind: "value", value: "OK", total: 4, counts: [1, 0, 3, 0] },
    { kind: "value", value: "ERROR", total: 2, counts: [1, 0, 1, 0] },
  ],
};

test("bars are stacked and add up to the highest", () => {
  const drawn = drawHistogram(SERIES);
  expect(drawn.highest).toBe(4);
  expect(drawn.bars.map((bar) => bar.total)).toEqual([2, 0, 4, 0]);
  expect(drawn.bars[2]?.parts).toEqual([
    { line: 0, count: 3, from: 0, to: 0.75 },
    { line: 1, count: 1, from: 0.75, to: 1 },
  ]);
  const [bar] = drawn.bars;
  if (bar !== undefined) expect(describeBar(bar, SERIES.lines, "state")).toMatch(/: 2 traces; 1 OK, 1 Error$/);
});

test("a brush takes the whole bars that it touches, in either direction", () => {
  const drawn = drawHistogram(SERIES);
  expect(findBrushed(drawn, 0.3, 0.6)).toEqual({ sinceMs: 10_000, untilMs: 30_000 });
  expect(findBrushed(drawn, 0.6, 0.3)).toEqual({ sinceMs: 10_000, untilMs: 30_000 });
  expect(findBrushed(drawn, 1, 1)).toEqual({ sinceMs: 30_000, untilMs: 40_000 });
});

test("there are never too many ticks, and an empty histogram has no bars", () => {
  for (const span of [1_000, 60_000, 86_400_000, 3e10]) expect(listTicks(0, span, 7).length).toBeLessThan(9);
  expect(drawHistogram({ ...SERIES, lines: [], from_ms: 0, until_ms: 0 }).bars).toEqual([]);
});

test("ticks that are months apart name their year, and days do not", () => {
  const from = new Date(2024, 0, 1).getTime();
  const texts = (days: number): string[] => listTicks(from, from + days * 86_400_000, 7).map(({ text }) => text);
  for (const text of texts(2_000)) expect(text).toMatch(/^[A-Z][a-z]{2} 20\d\d$/);
  for (const text of texts(40)) expect(text).toMatch(/^[A-Z][a-z]{2} \d{1,2}$/);
});

test("what was kept of columns is checked, never trusted", () => {
  const known = ["time", "name", "state"];
  const read = (kept: string | null) => readChoice(kept, known, known);
  expect(read(null).ids).toEqual(known);
  expect(read("{").ids).toEqual(known);
  expect(read('{"ids":["gone",7]}').ids).toEqual(known);
  expect(read('{"ids":["name","name","tags.x","gone"],"widths":{"name":9999,"x":"y"}}')).toEqual({
    ids: ["name", "tags.x"],
    widths: { name: 1200 },
  });
});

test("columns move, hide and grow; the last one stays", () => {
  const choice = { ids: ["a", "b", "c"], widths: {} };
  expect(moveColumn(choice, "a", 1).ids).toEqual(["b", "a", "c"]);
  expect(moveColumn(choice, "a", -1).ids).toEqual(["a", "b", "c"]);
  expect(toggleColumn(choice, "b").ids).toEqual(["a", "c"]);
  expect(toggleColumn({ ids: ["a"], widths: {} }, "a").ids).toEqual(["a"]);
  expect(resizeColumn(choice, "a", 3).widths).toEqual({ a: 48 });
});

test("events are read wherever the stream is cut", () => {
  const stream = ': hi\n\ndata: {"a":1}\n\ndata: {"b":\ndata: 2}\n\n';
  for (let cut = 0; cut <= stream.length; cut += 1) {
    const first = readEvents(stream.slice(0, cut));
    const second = readEvents(first.rest + stream.slice(cut));
    expect([...first.events, ...second.events].map((text) => JSON.parse(text) as unknown)).toEqual([{ a: 1 }, { b: 2 }]);
  }
});

test("a new trace waits while the list is held; a known one changes in its place", () => {
  const listed = [info("b", 20), info("a", 10)];
  let now = arrive(NO_ARRIVALS, info("a", 10, { state: "ERROR" }), true, true, 0);
  now = arrive(now, info("c", 30), false, true, 0);
  now = arrive(now, info("c", 30, { state: "IN_PROGRESS" }), false, true, 5);
  expect(now.waiting.size).toBe(1);
  expect(rateOf(now, 1_000)).toBe(0.1);
  expect(rateOf(now, 20_000)).toBe(0);
  expect(joinArrivals(listed, now.shown).map((one) => one.state)).toEqual(["OK", "ERROR"]);
  expect(joinArrivals(listed, release(now).shown).map((one) => one.trace_id)).toEqual(["c", "b", "a"]);
});

test("a session of one trace has lasted no time that could be told", () => {
  expect(formatLasted({ traces: 1, first_ms: 5, last_ms: 5 })).toBe("–");
  expect(formatLasted({ traces: 2, first_ms: 5, last_ms: 1505 })).toBe("1.50 s");
});

test("sessions stand where their newest trace does", () => {
  const traces = [info("a", 30, { session: "s", total_tokens: 2 }), info("b", 20), info("c", 10, { session: "s", state: "ERROR" })];
  expect(groupBySession(traces)).toMatchObject([
    { session: "s", firstMs: 10, lastMs: 30, errors: 1, tokens: 2 },
    { session: null, tokens: null },
  ]);
  expect(listRows(traces, true).map((row) => row.kind)).toEqual(["session", "trace", "trace", "session", "trace"]);
  expect(listRows(traces, false)).toHaveLength(3);
});

test("a search is written as code, its times in the filter and its quotes safe", () => {
  const search = {
    filter: "user = \"it's\" OR state = 'OK'",
    orderBy: ["execution_time_ms DESC"],
    experimentIds: [],
    allExperimentIds: ["0", "7"],
    bounds: { sinceMs: 5, untilMs: null },
  };
  const url = "http://127.0.0.1:4320";
  expect(writePython(search, url)).toContain(
    String.raw`filter_string="(user = \"it's\" OR state = 'OK') AND timestamp_ms >= 5",`,
  );
  expect(writePython(search, url)).toContain('locations=["0", "7"]');
  expect(writeShell(search, url)).toContain(String.raw`it'\''s`);
  expect(writeCurl(search, url)).toContain("since=5");
  expect(quoteShell("$(rm -rf /)")).toBe("'$(rm -rf /)'");
});

test("recent filters are kept once each, and nonsense is nothing", () => {
  expect(addRecent(["a", "b"], "b")).toEqual(["b", "a"]);
  expect(addRecent(["a"], "  ")).toEqual(["a"]);
  expect(readTexts('["a",7]')).toEqual(["a"]);
});

test("the palette finds by every word, and knows a trace id", () => {
  const commands = [
    { id: "1", title: "Errors", group: "View" },
    { id: "2", title: "production", group: "Environment" },
  ];
  expect(findCommands(commands, "env prod").map(({ id }) => id)).toEqual(["2"]);
  expect(findCommands(commands, "")).toHaveLength(2);
  expect(readTraceId(` TR-${"A".repeat(32)} `)).toBe(`tr-${"a".repeat(32)}`);
  expect(readTraceId("production")).toBeNull();
});
