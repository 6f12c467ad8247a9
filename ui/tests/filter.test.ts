import { expect, test } from "vitest";

import {
  addCondition,
  equals,
  hasCondition,
  metadataEquals,
  quoteKey,
  quoteValue,
  removeCondition,
  spanAttributeEquals,
  splitConditions,
  tagEquals,
  textBeforeColumn,
  toggleCondition,
} from "../src/model/filter";

test("a value takes the quotes that it does not hold", () => {
  expect(quoteValue("plain")).toBe("'plain'");
  expect(quoteValue("it's")).toBe('"it\'s"');
  expect(quoteValue(`both ' and "`)).toBeNull();
});

test("a key with anything special stands in backticks", () => {
  expect(quoteKey("app_version")).toBe("app_version");
  expect(quoteKey("mlflow.source.name")).toBe("`mlflow.source.name`");
  expect(quoteKey("my tag")).toBe("`my tag`");
  expect(quoteKey("a`b")).toBeNull();
});

test("conditions name the field that holds the key", () => {
  expect(metadataEquals("mlflow.trace.session", "s-1")).toBe("session = 's-1'");
  expect(metadataEquals("environment", "Prod")).toBe("metadata.environment = 'Prod'");
  expect(metadataEquals("k8s.pod.name", "p")).toBe("metadata.`k8s.pod.name` = 'p'");
  expect(tagEquals("my tag", "x")).toBe("tags.`my tag` = 'x'");
  expect(spanAttributeEquals("gen_ai.system", "y")).toBe("span.attributes.`gen_ai.system` = 'y'");
  expect(equals("user", `'"`)).toBeNull();
});

test("splitting leaves quoted text, parentheses and longer words alone", () => {
  expect(splitConditions("a = 'x AND y' and (b = '1' OR c = '2') AND android = 'or'")).toEqual([
    "a = 'x AND y'",
    "(b = '1' OR c = '2')",
    "android = 'or'",
  ]);
  expect(splitConditions("")).toEqual([]);
  expect(splitConditions("tags.`this AND that` = '1'")).toEqual(["tags.`this AND that` = '1'"]);
  expect(splitConditions("a = '1' OR b = '2'")).toBeNull();
});

test("adding keeps what stood there, also an OR", () => {
  expect(addCondition("", "user = 'u'")).toBe("user = 'u'");
  expect(addCondition("a = '1'", "user = 'u'")).toBe("a = '1' AND user = 'u'");
  expect(addCondition("a = '1' AND user = 'u'", "user = 'u'")).toBe("a = '1' AND user = 'u'");
  expect(addCondition("a = '1' OR b = '2'", "user = 'u'")).toBe(
    "(a = '1' OR b = '2') AND user = 'u'",
  );
});

test("toggling twice leads back", () => {
  const filter = "state = 'OK' AND user = 'u'";
  const more = toggleCondition(filter, "environment = 'production'");
  expect(hasCondition(more, "environment = 'production'")).toBe(true);
  expect(toggleCondition(more, "environment = 'production'")).toBe(filter);
  expect(removeCondition("a = '1' OR b = '2'", "a = '1'")).toBe("a = '1' OR b = '2'");
});

test("a column counts characters, not UTF-16 units", () => {
  expect(textBeforeColumn("a = '😀' x", 8)).toBe("a = '😀'");
  expect(textBeforeColumn("abc", 1)).toBe("");
});
