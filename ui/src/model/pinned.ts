/** Attributes that the reader pinned: shown for every span that has them, whatever tab is open. */

import type { Span } from "../api/types";
import { toLine } from "./json";

export const MOST_PINNED = 8;
const LONGEST_VALUE = 200;
const LONGEST_PILL = 40;

/** With the key, or without it where it was pinned; the newest is kept where there are too many. */
export function togglePin(pinned: readonly string[], key: string): string[] {
  if (pinned.includes(key)) return pinned.filter((one) => one !== key);
  return [...pinned, key].slice(-MOST_PINNED);
}

/** The pinned keys that a span or its resource has, with their values on one line. */
export function listPinned(span: Span, pinned: readonly string[]): [string, string][] {
  return pinned.flatMap((key): [string, string][] => {
    const value = span.attributes[key] ?? span.resource[key];
    return value === undefined ? [] : [[key, toLine(value, LONGEST_VALUE)]];
  });
}

/** What stands on the bar of a span for a pinned attribute: its value, cut. */
export function writePill(value: string): string {
  return value.length > LONGEST_PILL ? `${value.slice(0, LONGEST_PILL - 1)}…` : value;
}
