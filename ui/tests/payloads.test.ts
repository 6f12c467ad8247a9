import { expect, test } from "vitest";

import type { Assessment, Json, SpanDiff, TraceDiff } from "../src/api/types";
import { listJudged, readTyped, writeTyped } from "../src/model/assessments";
import { type Message, readChat, readTools, writeChat } from "../src/model/chat";
import { chooseOpen, findInJson, listJsonRows, openAll } from "../src/model/jsonTree";
import { listChangedTexts, listMergedRows, mergeTraces } from "../src/model/mergedTree";
import { diffTexts, foldSame } from "../src/model/textDiff";
import { makeSpan } from "./spans";

function outline(messages: readonly Message[] | null): string[] | null {
  return (
    messages?.map(({ role, parts }) => {
      const said = parts.map((part) => {
        if (part.kind === "text" || part.kind === "reasoning") return `${part.kind} ${part.text}`;
        if (part.kind === "image") return `image ${part.address}`;
        if (part.kind === "call") {
          return `call ${part.name} ${JSON.stringify(part.arguments)} ${JSON.stringify(part.result)}`;
        }
        return `${part.kind} ${JSON.stringify(part.value)}`;
      });
      return `${role}: ${said.join(" | ")}`;
    }) ?? null
  );
}

const CALL = { id: "c1", type: "function", function: { name: "look_up", arguments: '{"id": 7}' } };

const DIALECTS: readonly (readonly [string, Json, Json, readonly string[]])[] = [
  [
    "OpenAI's chat completions",
    {
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: [{ type: "text", text: "What is it?" }, { type: "image_url", image_url: { url: "data:image/png;base64,AA" } }] },
        { role: "assistant", content: null, tool_calls: [CALL] },
        { role: "tool", tool_call_id: "c1", content: '{"found": true}' },
      ],
    },
    { choices: [{ message: { role: "assistant", content: "A jacket.", reasoning_content: "hm" } }] },
    [
      "system: text Be brief.",
      "user: text What is it? | image data:image/png;base64,AA",
      'assistant: call look_up {"id":7} {"found":true}',
      "assistant: reasoning hm | text A jacket.",
    ],
  ],
  [
    "OpenAI's responses",
    {
      instructions: "Be brief.",
      input: [
        { role: "user", content: "Weather?" },
        { type: "function_call", call_id: "c1", name: "weather", arguments: '{"city":"Oslo"}' },
        { type: "function_call_output", call_id: "c1", output: "rain" },
      ],
    },
    { output: [{ type: "reasoning", summary: [{ type: "summary_text", text: "so" }] }, { type: "message", role: "assistant", content: [{ type: "output_text", text: "Rain." }] }] },
    [
      "system: text Be brief.",
      "user: text Weather?",
      'assistant: call weather {"city":"Oslo"} "rain"',
      "assistant: reasoning so",
      "assistant: text Rain.",
    ],
  ],
  [
    "Anthropic's messages",
    {
      system: [{ type: "text", text: "Be brief." }],
      messages: [
        { role: "user", content: "Hi" },
        { role: "assistant", content: [{ type: "thinking", thinking: "hm" }, { type: "tool_use", id: "t1", name: "find", input: { q: 1 } }] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "t1", content: [{ type: "text", text: "yes" }] }] },
      ],
    },
    { role: "assistant", content: [{ type: "text", text: "Found." }] },
    [
      "system: text Be brief.",
      "user: text Hi",
      'assistant: reasoning hm | call find {"q":1} [{"type":"text","text":"yes"}]',
      "assistant: text Found.",
    ],
  ],
  [
    "OpenTelemetry's messages",
    [
      { role: "user", parts: [{ type: "text", content: "Hi" }] },
      { role: "assistant", parts: [{ type: "tool_call", id: "t", name: "f", arguments: { a: 1 } }] },
      { role: "tool", parts: [{ type: "tool_call_response", id: "t", result: "ok" }] },
    ],
    [{ role: "assistant", parts: [{ type: "text", content: "Done" }], finish_reason: "stop" }],
    ["user: text Hi", 'assistant: call f {"a":1} "ok"', "assistant: text Done"],
  ],
  [
    "Gemini's contents",
    { contents: [{ role: "user", parts: [{ text: "Hi" }] }] },
    { candidates: [{ content: { role: "model", parts: [{ text: "so", thought: true }, { functionCall: { name: "f", args: { a: 1 } } }] } }] },
    ["user: text Hi", 'assistant: reasoning so | call f {"a":1} undefined'],
  ],
  [
    "LangChain's messages",
    { messages: [[{ lc: 1, type: "constructor", id: ["langchain", "HumanMessage"], kwargs: { content: "Hi", type: "human" } }]] },
    { generations: [[{ text: "Hello", message: { lc: 1, id: ["x", "AIMessage"], kwargs: { content: "Hello" } } }]] },
    ["user: text Hi", "assistant: text Hello"],
  ],
  [
    "OpenInference's messages",
    { messages: [{ message: { role: "user", content: "Hi" } }] },
    { messages: [{ message: { role: "assistant", tool_calls: [{ tool_call: { id: "1", function: { name: "f", arguments: "{}" } } }] } }] },
    ["user: text Hi", "assistant: call f {} undefined"],
  ],
];

test.each(DIALECTS)("%s are read as a conversation", (_, inputs, outputs, expected) => {
  expect(outline(readChat({ inputs, outputs }))).toEqual(expected);
});

test("what is no conversation is none, and what can't be read stays as data", () => {
  expect(readChat({ inputs: { question: "Hi" }, outputs: "Hello" })).toBeNull();
  expect(readChat({ inputs: { input: ["text"], type: "message" } })).toBeNull();
  const odd = readChat({ inputs: [{ role: "user", content: [{ type: "hologram", cells: 3 }] }, 7] });
  expect(outline(odd)).toEqual(['user: data {"type":"hologram","cells":3}', "user: data 7"]);
  expect(writeChat(odd ?? [])).toContain("hologram");
});

test("the tools that were offered are read from inputs or attributes", () => {
  const tool = { type: "function", function: { name: "f", description: "does" } };
  expect(readTools({ inputs: { tools: [tool] }, attributes: {} })[0]).toMatchObject({ name: "f", description: "does" });
  const attributes = { "mlflow.chat.tools": JSON.stringify([tool]) };
  expect(readTools({ attributes })[0]?.name).toBe("f");
});

test("only what is open is listed, long lists in pages, JSON in texts as values", () => {
  const value: Json = { list: Array.from({ length: 1000 }, (_, index) => index), text: '{"a": [1]}' };
  const open = new Set(["$", "$.list"]);
  const rows = listJsonRows(value, open, new Map());
  expect(rows.length).toBe(1 + 1 + 200 + 1 + 1);
  expect(rows[202]?.more).toBe(800);
  expect(rows.at(-1)).toMatchObject({ path: "$.text", size: 1, isText: true, isOpen: false });
  expect(listJsonRows(value, open, new Map([["$.list", 400]])).length).toBe(404);
  expect(listJsonRows(value, new Set(["$", "$.text"]), new Map()).map((row) => row.path)).toContain("$.text.a");
});

test("a value is opened level by level while it stays short", () => {
  expect([...chooseOpen({ a: { b: { c: 1 } } })]).toEqual(["$", "$.a", "$.a.b"]);
  const wide = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`k${index}`, { a: 1, b: 2 }]));
  expect(chooseOpen(wide).size).toBeLessThan(8);
  expect(openAll(wide).size).toBe(31);
});

test("5 MB are listed and searched in a moment", () => {
  const value: Json = { rows: Array.from({ length: 20_000 }, (_, id) => ({ id, text: "x".repeat(220) })), last: "needle" };
  const started = performance.now();
  expect(listJsonRows(value, chooseOpen(value), new Map()).length).toBeLessThan(300);
  const hits = findInJson(value, "needle", 10);
  expect(hits).toEqual([{ path: "$.last", above: ["$"], places: [1] }]);
  expect(findInJson(value, "xxx", 10).length).toBe(10);
  expect(performance.now() - started).toBeLessThan(3000);
});

test("paths name keys that are no words in brackets", () => {
  expect(findInJson({ "a b": [{ c: "yes" }] }, "YES", 5)[0]?.path).toBe('$["a b"][0].c');
});

test("words that differ are marked, long texts line by line, and what is the same is folded", () => {
  expect(diffTexts("the red fox", "the brown fox")?.pieces).toEqual([
    { kind: "same", text: "the " },
    { kind: "removed", text: "red" },
    { kind: "added", text: "brown" },
    { kind: "same", text: " fox" },
  ]);
  const lines = Array.from({ length: 4000 }, (_, index) => `line number ${index} of the text`);
  const after = lines.with(2000, "another line");
  const found = diffTexts(lines.join("\n"), after.join("\n"));
  expect(found?.unit).toBe("line");
  const folded = foldSame(found?.pieces ?? []);
  expect(folded.map((piece) => piece.kind)).toEqual(["hidden", "same", "removed", "added", "same", "hidden"]);
  expect(folded.map((piece) => piece.text).join("")).toBe(found?.pieces.map((piece) => piece.text).join(""));
  expect(diffTexts("x".repeat(2_000_000), "y".repeat(1000))).toBeNull();
});

function makeSide(spanId: string | null): SpanDiff["baseline"] {
  if (spanId === null) return null;
  const times = { duration_ms: 1, own_ms: 1, model: null, total_tokens: null };
  return { span_id: spanId, span_type: "X", status: "OK", status_message: "", ...times };
}

function makeRow(path: string, name: string, depth: number, baseline: string | null, candidate: string | null): SpanDiff {
  const change = baseline === null ? "only in candidate" : candidate === null ? "only in baseline" : "same";
  const sides = { baseline: makeSide(baseline), candidate: makeSide(candidate) };
  return { path, name, depth, change, ...sides, texts: [], attributes: [] };
}

test("two traces become one tree by their paths, also where names hold slashes", () => {
  const spans = [
    makeRow("root", "root", 0, "r", "r"),
    makeRow("root/GET /a/b", "GET /a/b", 1, "g", "g"),
    makeRow("root/old", "old", 1, "o", null),
    makeRow("root/GET /a/b/new", "new", 2, null, "n"),
  ];
  const one = [makeSpan("r", null, { start_time_ns: "500", end_time_ns: "900" }), makeSpan("o", "r", { start_time_ns: "600" })];
  const other = [makeSpan("r", null, { start_time_ns: "7000", end_time_ns: "7100" }), makeSpan("n", "r", { start_time_ns: "7050", end_time_ns: "8500" })];
  const tree = mergeTraces({ spans } as unknown as TraceDiff, one, other);
  expect(tree.nodes.map((node) => node.diff.name)).toEqual(["root", "GET /a/b", "new", "old"]);
  expect(tree.nodes.map((node) => node.changesBelow)).toEqual([2, 1, 0, 0]);
  expect(tree.lengthNs).toBe(1500);
  expect(listMergedRows(tree, new Set(["root/GET /a/b"]), false).length).toBe(3);
  expect(listMergedRows(tree, new Set(), true).length).toBe(4);
});

function makeChat(text: string): Json {
  return { messages: [{ role: "user", content: text }] };
}

test("conversations are compared as such, other payloads as JSON", () => {
  const [one, other] = [makeSpan("a", null, { inputs: makeChat("red") }), makeSpan("b", null, { inputs: makeChat("blue") })];
  expect(listChangedTexts(one, other)).toEqual([{ title: "Messages", before: "user:\nred", after: "user:\nblue" }]);
  const plain = makeSpan("c", null, { outputs: { a: 1 } });
  expect(listChangedTexts(makeSpan("d", null), plain).map((text) => text.title)).toEqual(["Outputs"]);
});

function makeJudgement(assessment_id: string, valid: boolean, overrides?: string): Assessment {
  return {
    assessment_id,
    assessment_name: "helpful",
    trace_id: "t",
    source: { source_type: "HUMAN", source_id: "ann" },
    create_time: `2026-01-0${assessment_id}T00:00:00.000Z`,
    last_update_time: "",
    valid,
    ...(overrides === undefined ? {} : { overrides }),
  };
}

test("a judgement stands with what it replaced, and typed values are read as what they look like", () => {
  const judged = listJudged([
    makeJudgement("1", false),
    makeJudgement("2", false, "1"),
    makeJudgement("3", true, "2"),
    makeJudgement("4", true),
  ]);
  expect(judged.map((one) => [one.current.assessment_id, one.history.map((old) => old.assessment_id)])).toEqual([
    ["3", ["2", "1"]],
    ["4", []],
  ]);
  expect(["true", " 0.5", "yes", '"7"', '{"a":1}'].map(readTyped)).toEqual([true, 0.5, "yes", "7", { a: 1 }]);
  expect([true, 0.5, "yes", "7"].map((value) => readTyped(writeTyped(value)))).toEqual([true, 0.5, "yes", "7"]);
});
