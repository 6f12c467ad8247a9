/**
 * Two traces as one tree: the rows of the server's comparison by their paths, each with the times
 * that its spans have on a common axis, both traces beginning at 0.
 */

import type { Json, Span, SpanDiff, TraceDiff } from "../api/types";
import { readChat, writeChat } from "./chat";
import { toText } from "./json";
import { compareNs } from "./spanTree";

export interface MergedNode {
  diff: SpanDiff;
  parent: MergedNode | null;
  children: MergedNode[];
  baseline: Span | null;
  candidate: Span | null;
  /** Rows below it that are not the same. */
  changesBelow: number;
}

export interface MergedTree {
  roots: MergedNode[];
  /** In the order shown. */
  nodes: MergedNode[];
  baselineStartNs: bigint;
  candidateStartNs: bigint;
  /** Of the longer trace. */
  lengthNs: number;
}

export function mergeTraces(
  diff: TraceDiff,
  baseline: readonly Span[],
  candidate: readonly Span[],
): MergedTree {
  const [ofBaseline, ofCandidate] = [indexSpans(baseline), indexSpans(candidate)];
  const byPath = new Map<string, MergedNode>();
  const roots: MergedNode[] = [];
  for (const row of diff.spans) {
    const node: MergedNode = {
      diff: row,
      parent: null,
      children: [],
      baseline: row.baseline === null ? null : (ofBaseline.get(row.baseline.span_id) ?? null),
      candidate: row.candidate === null ? null : (ofCandidate.get(row.candidate.span_id) ?? null),
      changesBelow: 0,
    };
    byPath.set(row.path, node);
    // A name may hold slashes, so what is above is found by the name's length.
    node.parent = byPath.get(row.path.slice(0, -row.name.length - 1)) ?? null;
    (node.parent?.children ?? roots).push(node);
  }
  const nodes = listAll(roots);
  for (const node of nodes.toReversed()) {
    if (node.parent === null) continue;
    node.parent.changesBelow += node.changesBelow + Number(node.diff.change !== "same");
  }
  const [one, other] = [measure(baseline), measure(candidate)];
  return {
    roots,
    nodes,
    baselineStartNs: one.startNs,
    candidateStartNs: other.startNs,
    lengthNs: Math.max(1, one.lengthNs, other.lengthNs),
  };
}

function indexSpans(spans: readonly Span[]): Map<string, Span> {
  return new Map(spans.map((span) => [span.span_id, span]));
}

function measure(spans: readonly Span[]): { startNs: bigint; lengthNs: number } {
  let first = spans[0]?.start_time_ns ?? "0";
  let last = first;
  for (const span of spans) {
    if (compareNs(span.start_time_ns, first) < 0) first = span.start_time_ns;
    const end = span.end_time_ns ?? span.start_time_ns;
    if (compareNs(end, last) > 0) last = end;
  }
  return { startNs: BigInt(first), lengthNs: Number(BigInt(last) - BigInt(first)) };
}

function listAll(roots: readonly MergedNode[]): MergedNode[] {
  const nodes: MergedNode[] = [];
  const waiting = roots.toReversed();
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    nodes.push(node);
    waiting.push(...node.children.toReversed());
  }
  return nodes;
}

/** The rows in sight: none below a shut one, and, if asked, none without a difference in or below it. */
export function listMergedRows(
  { roots }: MergedTree,
  collapsed: ReadonlySet<string>,
  onlyChanges: boolean,
): MergedNode[] {
  const rows: MergedNode[] = [];
  const waiting = roots.toReversed();
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (onlyChanges && node.diff.change === "same" && node.changesBelow === 0) continue;
    rows.push(node);
    if (!collapsed.has(node.diff.path)) waiting.push(...node.children.toReversed());
  }
  return rows;
}

/** When a span ran, in nanoseconds after its own trace began. */
export function timesIn(span: Span, startNs: bigint): { start: number; end: number } {
  const start = Number(BigInt(span.start_time_ns) - startNs);
  return { start, end: Number(BigInt(span.end_time_ns ?? span.start_time_ns) - startNs) };
}

export interface ChangedText {
  title: string;
  before: string;
  after: string;
}

/** The texts in which two spans differ: conversations as such, anything else as indented JSON. */
export function listChangedTexts(one: Span, other: Span): ChangedText[] {
  const [before, after] = [readChat(one), readChat(other)];
  const texts: ChangedText[] = [];
  if (before !== null && after !== null) {
    texts.push({ title: "Messages", before: writeChat(before), after: writeChat(after) });
  } else {
    texts.push({ title: "Inputs", before: write(one.inputs), after: write(other.inputs) });
    texts.push({ title: "Outputs", before: write(one.outputs), after: write(other.outputs) });
  }
  texts.push({ title: "Status message", before: one.status_message, after: other.status_message });
  return texts.filter((text) => text.before !== text.after);
}

function write(value: Json | undefined): string {
  return value === undefined ? "" : toText(value);
}

export interface ChangedValue {
  key: string;
  before: string | null;
  after: string | null;
}

/** The attributes in which two spans differ. */
export function listChangedValues(keys: readonly string[], one: Span, other: Span): ChangedValue[] {
  return keys.map((key) => ({ key, before: readAttribute(one, key), after: readAttribute(other, key) }));
}

function readAttribute(span: Span, key: string): string | null {
  const value = span.attributes[key];
  return value === undefined ? null : toText(value);
}
