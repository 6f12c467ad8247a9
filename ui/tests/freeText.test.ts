import { expect, test } from "vitest";

import { readFreeText } from "../src/model/freeText";

const both = (text: string): string =>
  `(request_preview ILIKE ${text} OR response_preview ILIKE ${text})`;

test.each([
  ["refund", both("'%refund%'")],
  [" refund  order ", `${both("'%refund%'")} AND ${both("'%order%'")}`],
  ['"where is my order"', both("'%where is my order%'")],
  ["it's in the box", [`"%it's%"`, "'%in%'", "'%the%'", "'%box%'"].map(both).join(" AND ")],
  ['input:"refund me"', "request_preview ILIKE '%refund me%'"],
  ["output:sorry text:traceback", "response_preview ILIKE '%sorry%' AND trace.text ILIKE '%traceback%'"],
  ["أين طلبي", `${both("'%أين%'")} AND ${both("'%طلبي%'")}`],
])("the words %s become a filter", (text, filter) => {
  expect(readFreeText(text)).toBe(filter);
});

test.each([
  "",
  "  ",
  "environment = 'production'",
  "metadata.`a b` > 3",
  "user IN ('a', 'b')",
  "session IS NOT NULL",
  "name NOT LIKE 'a%'",
  "name not like 'a%'",
  "user IN a",
  `both"and'quotes`,
])("the filter %s stays as it is", (text) => {
  expect(readFreeText(text)).toBeNull();
});
