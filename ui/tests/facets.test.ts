import { expect, test } from "vitest";

import { clearPicked, nameField, readCondition, readPicked, togglePicked } from "../src/model/facets";

const pick = (filter: string, value: string | null, mode: "include" | "exclude" = "include") =>
  togglePicked(filter, "environment", value, mode) ?? "can't be written";

test("values of one field are one condition, and a second click takes one away", () => {
  const one = pick("", "production");
  expect(one).toBe("environment = 'production'");
  const two = pick(one, "staging");
  expect(two).toBe("environment IN ('production', 'staging')");
  expect(pick(two, "production")).toBe("environment = 'staging'");
  expect(pick(pick(two, "production"), "staging")).toBe("");
});

test("excluding keeps traces without the field, and moves an included value over", () => {
  expect(pick("", "staging", "exclude")).toBe("NOT environment = 'staging'");
  expect(pick("environment = 'staging'", "staging", "exclude")).toBe("NOT environment = 'staging'");
  expect(pick("NOT environment IN ('a', 'b')", "a", "exclude")).toBe("NOT environment = 'b'");
});

test("what else stands in the filter stays where it is", () => {
  const filter = "user = 'u' AND environment = 'production' AND (a = '1' OR b = '2')";
  expect(pick(filter, "staging")).toBe(
    "user = 'u' AND environment IN ('production', 'staging') AND (a = '1' OR b = '2')",
  );
  expect(clearPicked(filter, "environment")).toBe("user = 'u' AND (a = '1' OR b = '2')");
  expect(pick("a = '1' OR b = '2'", "staging")).toBe(
    "(a = '1' OR b = '2') AND environment = 'staging'",
  );
});

test("the missing value is a condition of its own and excludes the others", () => {
  expect(pick("environment = 'production'", null)).toBe("environment IS NULL");
  expect(pick("environment IS NULL", "production")).toBe("environment = 'production'");
  expect(pick("", null, "exclude")).toBe("environment IS NOT NULL");
  expect(readPicked("NOT environment IS NULL", "environment").missing).toBe("excluded");
});

test("every way to write a condition is read, by every name of its field", () => {
  const filter =
    "metadata.environment IN ('a', \"b's\") AND trace.state != 'OK' AND metadata.`mlflow.trace.user` = 'u' AND NOT NOT x = 'y'";
  expect([...readPicked(filter, "environment").included]).toEqual(["a", "b's"]);
  expect([...readPicked(filter, "status").excluded]).toEqual(["OK"]);
  expect([...readPicked(filter, "user").included]).toEqual(["u"]);
  expect(nameField("tag.`a b`")).toBe(nameField("tags.`a b`"));
});

test.each(["environment LIKE 'p%'", "environment = 1", "environment > 'a'", "environment IN ('a'", "environment = 'a", "(environment = 'a')", "environment"])(
  "%s is left alone",
  (text) => {
    expect(readCondition(text)).toBeNull();
    expect(pick(text, "b")).toBe(`${text} AND environment = 'b'`);
  },
);

test("a value with both kinds of quotes can't be written", () => {
  expect(pick("", `'"`)).toBe("can't be written");
});
