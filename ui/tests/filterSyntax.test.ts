import { expect, test } from "vitest";

import { findPlace, listOperators, rank, splitFilter } from "../src/model/filterSyntax";

function place(text: string) {
  const at = text.indexOf("|");
  return findPlace(text.replace("|", ""), at);
}

test("the pieces of a filter cover it without its blanks", () => {
  const text = "NOT metadata.`k8s.pod name` >= '2.1.0' AND (a IN (1, 'x y') OR b LIKE '%é😀%')";
  const pieces = splitFilter(text);
  expect(pieces.map((piece) => piece.text).join("")).toBe(text.replaceAll(/ (?=(?:[^'`]*['`][^'`]*['`])*[^'`]*$)/g, ""));
  for (const { text: own, start, end } of pieces) expect(text.slice(start, end)).toBe(own);
  expect(pieces.map(({ kind }) => kind).slice(0, 4)).toEqual(["keyword", "field", "operator", "string"]);
});

test.each([
  ["|", "field", ""],
  ["env|", "field", "env"],
  ["metadata.`k8s|", "field", "metadata.`k8s"],
  ["environment |", "operator", ""],
  ["environment = |", "value", ""],
  ["environment = 'pro|", "value", "'pro"],
  ["environment = 'production'|", "connective", ""],
  ["environment = 'production' |", "connective", ""],
  ["environment = 'production' A|", "connective", "A"],
  ["environment = 'production' AND |", "field", ""],
  ["NOT |", "field", ""],
  ["(|", "field", ""],
  ["state IN |", "list", ""],
  ["state IN (|", "value", ""],
  ["state IN ('OK', |", "value", ""],
  ["state IN ('OK') |", "connective", ""],
  ["state NOT IN (|", "value", ""],
  ["name NOT LIKE |", "value", ""],
  ["session IS |", "presence", ""],
  ["session IS NOT NULL |", "connective", ""],
  ["execution_time_ms > 100 |", "connective", ""],
])("in %s a %s is wanted", (text, wants, typed) => {
  expect(place(text)).toMatchObject({ wants, typed });
});

test("a value knows its field, also in a list, and where what is typed begins", () => {
  expect(place("state = 'OK' AND metadata.region IN ('a', 'b|")).toMatchObject({
    field: "metadata.region",
    isInList: true,
    start: 42,
  });
});

test("a caret in the middle looks at what stands before it", () => {
  expect(place("env| = 'production'")).toMatchObject({ wants: "field", typed: "env", start: 0 });
});

test("a time is not matched by patterns, and a document only by them", () => {
  expect(listOperators("timestamp_ms")).not.toContain("LIKE");
  expect(listOperators("span.content")).toEqual(["LIKE", "ILIKE", "RLIKE"]);
  expect(listOperators("environment")).toContain("NOT IN");
});

test("what begins with the text comes before what holds it", () => {
  expect(rank("environment", "env")).toBe(0);
  expect(rank("metadata.environment", "env")).toBe(1);
  expect(rank("development", "ment")).toBe(2);
  expect(rank("state", "env")).toBeNull();
});
