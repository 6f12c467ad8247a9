/**
 * Words in the filter bar: what is no filter becomes one that looks for the words.
 *
 * `refund "order 4711"` asks for traces whose request or response says all of them; `input:`,
 * `output:` and `text:` before a word say where: the request, the response, any text of any span.
 */

import { quoteValue } from "./filter";
import { splitFilter } from "./filterSyntax";

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  input: ["request_preview"],
  inputs: ["request_preview"],
  output: ["response_preview"],
  outputs: ["response_preview"],
  text: ["trace.text"],
};
const ANYWHERE: readonly string[] = ["request_preview", "response_preview"];
const TERM = /(?:(inputs?|outputs?|text):)?("[^"]+"|'[^']+'|\S+)(?:\s+|$)/gy;

/** The filter that looks for the words; null where the text is a filter already, or can't be one. */
export function readFreeText(text: string): string | null {
  const typed = text.trim();
  if (typed === "" || isFilter(typed)) return null;
  const conditions = [...typed.matchAll(TERM)].map(([, where, term]) => writeTerm(where, term ?? ""));
  return conditions.includes(null) ? null : conditions.join(" AND ");
}

const LOUD = new Set(["AND", "OR", "IN", "LIKE", "ILIKE", "RLIKE"]);

/** Something is compared: a field with an operator, `IN (`, `IS NULL`, a pattern; or it tries to be. */
function isFilter(text: string): boolean {
  const pieces = splitFilter(text);
  return pieces.some(({ kind, text: word }, at) => {
    if (kind === "operator") return true;
    if (kind !== "keyword") return false;
    if (LOUD.has(word)) return true;
    const next = pieces[at + 1];
    const name = word.toUpperCase();
    if (name === "IN") return next?.text === "(";
    if (name === "IS") return /^(NOT|NULL)$/i.test(next?.text ?? "");
    return name.endsWith("LIKE") && next?.kind === "string";
  });
}

function writeTerm(where: string | undefined, term: string): string | null {
  const isQuoted = /^(["']).+\1$/.test(term);
  const quoted = quoteValue(`%${isQuoted ? term.slice(1, -1) : term}%`);
  if (quoted === null) return null;
  const fields = where === undefined ? ANYWHERE : (FIELDS[where] ?? ANYWHERE);
  const conditions = fields.map((field) => `${field} ILIKE ${quoted}`);
  return conditions.length === 1 ? conditions.join("") : `(${conditions.join(" OR ")})`;
}
