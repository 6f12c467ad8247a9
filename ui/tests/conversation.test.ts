import { expect, test } from "vitest";

import type { TraceInfo } from "../src/api/types";
import { isLongPause, listTurns, readSaid } from "../src/model/conversation";
import { buildGroupsUrl, parseGroupsUrl } from "../src/pages/sessions/url";

const PLAIN = {
  app_version: "1.0.0",
  environment: "production",
  commit: null,
  user: "u1",
  request_time_ms: 0,
  duration_ns: 2e9,
} as TraceInfo;

test("a turn says what changed since the one before", () => {
  const turns = listTurns([
    PLAIN,
    { ...PLAIN, request_time_ms: 5000 },
    { ...PLAIN, request_time_ms: 90_000, app_version: "1.1.0", user: null },
  ]);
  expect(turns.map((turn) => turn.changes)).toEqual([
    [],
    [],
    [
      { what: "version", from: "1.0.0", to: "1.1.0" },
      { what: "user", from: "u1", to: null },
    ],
  ]);
  expect(turns.map((turn) => turn.pauseMs)).toEqual([null, 3000, 83_000]);
  expect(turns.map((turn) => isLongPause(turn.pauseMs))).toEqual([false, false, true]);
});

test("the pause after a running trace is not known", () => {
  const turns = listTurns([{ ...PLAIN, duration_ns: null }, PLAIN]);
  expect(turns[1]?.pauseMs).toBeNull();
});

test.each([
  ["session", "a/b ?#&%'\"✓"],
  ["user", "..."],
  ["user", null],
] as const)("an address of %s %s reads as it was built", (by, name) => {
  const href = buildGroupsUrl({ by, name, filter: "state = 'OK'", experimentIds: ["1", "2"] });
  const at = href.indexOf("?");
  expect(parseGroupsUrl({ path: href.slice(0, at), search: href.slice(at) })).toMatchObject({
    by,
    name,
    filter: "state = 'OK'",
    experimentIds: ["1", "2"],
  });
});

test("other addresses are not of sessions or users", () => {
  expect(parseGroupsUrl({ path: "/sessions/a/b", search: "" })).toBeNull();
  expect(parseGroupsUrl({ path: "/traces", search: "" })).toBeNull();
});

const LONG = "é\n\"x\" ".repeat(300);

test.each([
  ["plain words", "plain words"],
  ['"a string"', "a string"],
  ['{"question": "why?", "user": "u"}', "why?"],
  ['{"user": "u", "question": "why?"}', "why?"],
  ['{"city": "Leipzig"}', "Leipzig"],
  ['{"a": "b", "c": "d"}', '{"a": "b", "c": "d"}'],
  ['{"count": 3}', '{"count": 3}'],
  ["[1, 2]", "[1, 2]"],
  ["{not json", "{not json"],
  ["null", "null"],
])("%s says %s", (preview, said) => {
  expect(readSaid(preview)).toBe(said);
});

test.each([
  ["a string", JSON.stringify(LONG)],
  ["an entry", JSON.stringify({ user: "u", question: LONG })],
])("%s that was cut says how it began", (_, whole) => {
  for (const length of [900, 901, 902, 903, 904, 905, 906]) {
    const said = readSaid(`${whole.slice(0, length)}...`);
    expect(said.endsWith("...")).toBe(true);
    expect(LONG.startsWith(said.slice(0, -3))).toBe(true);
    expect(said.length).toBeGreaterThan(500);
  }
});
