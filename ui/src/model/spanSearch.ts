/** Finding spans of one trace: by a text, by failure, by type. */

import type { Json, Span } from "../api/types";
import { isFailed, type SpanNode } from "./spanTree";

/** Of one value no more than this is looked through: a page must not stand still for one span. */
const LONGEST_SEARCHED = 200_000;

const texts = new WeakMap<Span, string>();

/** Everything of a span that a text is looked for in, in lower case; made once. */
function textOf(span: Span): string {
  const known = texts.get(span);
  if (known !== undefined) return known;
  const parts = [span.name, span.span_id, span.span_type, span.kind, span.status_message];
  parts.push(span.model ?? "", span.provider ?? "");
  if (span.inputs !== undefined) parts.push(writeValue(span.inputs));
  if (span.outputs !== undefined) parts.push(writeValue(span.outputs));
  for (const [key, value] of Object.entries(span.attributes)) parts.push(key, writeValue(value));
  for (const event of span.events) parts.push(event.name, writeValue(event.attributes));
  const text = parts.join("\n").toLowerCase();
  texts.set(span, text);
  return text;
}

function writeValue(value: Json): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > LONGEST_SEARCHED ? text.slice(0, LONGEST_SEARCHED) : text;
}

export interface SpanFilter {
  onlyErrors: boolean;
  /** Span types; none means all. */
  types: readonly string[];
}

export function isFiltering({ onlyErrors, types }: SpanFilter): boolean {
  return onlyErrors || types.length > 0;
}

/** The nodes that hold the text in name, ids, payloads, attributes or events; null without a text. */
export function findNodes(nodes: readonly SpanNode[], text: string): Set<SpanNode> | null {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return null;
  return new Set(nodes.filter(({ span }) => span !== null && textOf(span).includes(wanted)));
}

/** The nodes that a filter lets through, and those above them; null where it lets all through. */
export function filterNodes(
  nodes: readonly SpanNode[],
  filter: SpanFilter,
): { fits: Set<SpanNode>; kept: Set<SpanNode> } | null {
  if (!isFiltering(filter)) return null;
  const fits = new Set(
    nodes.filter(
      ({ span }) =>
        span !== null &&
        (!filter.onlyErrors || isFailed(span)) &&
        (filter.types.length === 0 || filter.types.includes(span.span_type)),
    ),
  );
  const kept = new Set<SpanNode>();
  for (const node of fits) {
    for (let one: SpanNode | null = node; one !== null && !kept.has(one); one = one.parent) kept.add(one);
  }
  return { fits, kept };
}

/** The span types of a trace with their numbers, the most frequent first. */
export function countTypes(spans: readonly Span[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const span of spans) counts.set(span.span_type, (counts.get(span.span_type) ?? 0) + 1);
  return [...counts].toSorted(([, left], [, right]) => right - left);
}
