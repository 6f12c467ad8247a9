/** JSON as text: indented, or on one line. */

import type { Json } from "../api/types";

/** A string is shown as it is, anything else as indented JSON. */
export function toText(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

/** The value on one line, at most `longest` characters. */
export function toLine(value: Json, longest: number): string {
  const text = (typeof value === "string" ? value : JSON.stringify(value)).replaceAll(/\s+/g, " ");
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
}
