/** A trace as a log: every span where it began and every event where it happened, in that order. */

import type { Json, Span, SpanEvent } from "../api/types";
import { toLine } from "./json";
import type { SpanNode, SpanRow } from "./spanTree";
import type { Times } from "./timeline";

export interface LogLine {
  /** Unique in the log. */
  key: string;
  /** Nanoseconds after the trace's start. */
  atNs: number;
  row: SpanRow;
  /** Null: the span began. */
  event: SpanEvent | null;
}

const LONGEST_TEXT = 300;
/** Payloads above this are not written as text only to show how they begin. */
const MOST_BYTES = 100_000;

/** The rows by when they began; rows that stand for spans which were not recorded are none. */
export function sortByStart(
  rows: readonly SpanRow[],
  times: ReadonlyMap<SpanNode, Times>,
): readonly SpanRow[] {
  const start = ({ node }: SpanRow): number => times.get(node)?.start ?? 0;
  return rows
    .filter(({ node }) => node.span !== null)
    .toSorted((left, right) => start(left) - start(right) || left.depth - right.depth);
}

/** Rows that are sorted by start, and their events, in one order of time. */
export function listLog(
  sorted: readonly SpanRow[],
  times: ReadonlyMap<SpanNode, Times>,
  startNs: bigint,
): readonly LogLine[] {
  const lines = sorted.flatMap((row): LogLine[] => {
    const { span, key } = row.node;
    const began = { key, atNs: times.get(row.node)?.start ?? 0, row, event: null };
    const events = (span?.events ?? []).map((event, at) => ({
      key: `${key} ${at}`,
      atNs: Number(BigInt(event.time_ns) - startNs),
      row,
      event,
    }));
    return [began, ...events];
  });
  return lines.toSorted((left, right) => left.atNs - right.atNs);
}

/** What an event or a span says, on one line: a message, an error, else what came out or went in. */
export function describeLine({ row, event }: LogLine): string {
  if (event !== null) {
    const { "exception.type": type, "exception.message": message, ...rest } = event.attributes;
    if (type === undefined && message === undefined) {
      const said = rest["message"] ?? rest["log.message"] ?? rest["body"];
      return said === undefined ? writePairs(rest) : toLine(said, LONGEST_TEXT);
    }
    return [type, message].flatMap((part) => (part === undefined ? [] : toLine(part, LONGEST_TEXT))).join(": ");
  }
  return row.node.span === null ? "" : describeSpan(row.node.span);
}

function describeSpan(span: Span): string {
  if (span.status_message !== "") return toLine(span.status_message, LONGEST_TEXT);
  if (span.size_bytes > MOST_BYTES) return "";
  const parts = [span.inputs, span.outputs].map((value) =>
    value === undefined || value === null ? "" : toLine(value, LONGEST_TEXT / 2),
  );
  return parts.filter((part) => part !== "").join(" → ");
}

function writePairs(values: Readonly<Record<string, Json>>): string {
  const text = Object.entries(values)
    .map(([key, value]) => `${key}=${toLine(value, 100)}`)
    .join(" ");
  return text.slice(0, LONGEST_TEXT);
}
