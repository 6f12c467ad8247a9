/**
 * The tree of a trace's spans, and the rows that a waterfall shows of it.
 *
 * Nothing is ever dropped: a span whose parent was not recorded hangs under a row that stands for
 * the missing one, and a circle of parents is cut open at its earliest span. No recursion: traces
 * may be 1,000 deep.
 */

import type { Span } from "../api/types";

export interface SpanNode {
  /** Unique in the tree, also when a span id comes twice. */
  key: string;
  /** Null for a row that stands for a parent which was not recorded. */
  span: Span | null;
  spanId: string;
  parent: SpanNode | null;
  children: SpanNode[];
  descendantCount: number;
  errorBelow: boolean;
}

export interface SpanRow {
  node: SpanNode;
  depth: number;
  isCollapsed: boolean;
}

export function isFailed(span: Span): boolean {
  return span.status === "ERROR";
}

/** Compare nanosecond strings as numbers, without the cost of a BigInt for each. */
export function compareNs(left: string, right: string): number {
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : Number(left > right);
}

export function buildTree(spans: readonly Span[]): SpanNode[] {
  const nodes = spans.map((span, index) => makeNode(`${span.span_id}/${index}`, span.span_id, span));
  const byId = new Map<string, SpanNode>();
  for (const node of nodes) if (!byId.has(node.spanId)) byId.set(node.spanId, node);

  const roots: SpanNode[] = [];
  const missing = new Map<string, SpanNode>();
  for (const node of nodes) {
    const parentId = node.span?.parent_id ?? null;
    if (parentId === null || parentId === node.spanId) {
      roots.push(node);
      continue;
    }
    let parent = byId.get(parentId) ?? missing.get(parentId);
    if (parent === undefined) {
      parent = makeNode(`missing/${parentId}`, parentId, null);
      missing.set(parentId, parent);
      roots.push(parent);
    }
    parent.children.push(node);
  }
  cutCircles(nodes, roots, byId);
  for (const node of [...nodes, ...missing.values()]) {
    node.children = node.children.toSorted(byStart);
  }
  setParents(nodes, missing.values());
  countDescendants(roots);
  return roots.toSorted(byStart);
}

function makeNode(key: string, spanId: string, span: Span | null): SpanNode {
  return { key, spanId, span, parent: null, children: [], descendantCount: 0, errorBelow: false };
}

function setParents(nodes: readonly SpanNode[], missing: Iterable<SpanNode>): void {
  for (const node of [...nodes, ...missing]) for (const child of node.children) child.parent = node;
}

function startOf(node: SpanNode): string {
  return node.span?.start_time_ns ?? node.children[0]?.span?.start_time_ns ?? "0";
}

function byStart(left: SpanNode, right: SpanNode): number {
  return compareNs(startOf(left), startOf(right));
}

/** Every node that no root reaches lies on or under a circle: make the earliest one a root. */
function cutCircles(nodes: SpanNode[], roots: SpanNode[], byId: Map<string, SpanNode>): void {
  const reached = new Set<SpanNode>();
  const reach = (from: SpanNode): void => {
    const waiting = [from];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      if (reached.has(node)) continue;
      reached.add(node);
      waiting.push(...node.children);
    }
  };
  for (const root of roots) reach(root);
  if (reached.size >= nodes.length + roots.filter((root) => root.span === null).length) return;
  for (const node of nodes.toSorted(byStart)) {
    if (reached.has(node)) continue;
    const parent = byId.get(node.span?.parent_id ?? "");
    if (parent !== undefined) parent.children = parent.children.filter((child) => child !== node);
    roots.push(node);
    reach(node);
  }
}

function countDescendants(roots: readonly SpanNode[]): void {
  const order: SpanNode[] = [];
  const waiting = [...roots];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    order.push(node);
    waiting.push(...node.children);
  }
  for (const node of order.toReversed()) {
    for (const child of node.children) {
      node.descendantCount += 1 + child.descendantCount;
      node.errorBelow ||= child.errorBelow || (child.span !== null && isFailed(child.span));
    }
  }
}

/** The rows in the order shown, without what lies under a collapsed node or is not kept. */
export function listRows(
  roots: readonly SpanNode[],
  collapsed: ReadonlySet<string>,
  kept: ReadonlySet<SpanNode> | null = null,
): SpanRow[] {
  const rows: SpanRow[] = [];
  const waiting = roots.map((node) => ({ node, depth: 0 })).toReversed();
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, depth } = next;
    if (kept !== null && !kept.has(node)) continue;
    const isCollapsed = collapsed.has(node.key);
    rows.push({ node, depth, isCollapsed });
    if (isCollapsed) continue;
    for (const child of node.children.toReversed()) waiting.push({ node: child, depth: depth + 1 });
  }
  return rows;
}

/** The keys of all nodes with children: what "collapse all" collapses. */
export function listParents(roots: readonly SpanNode[]): string[] {
  return listRows(roots, new Set())
    .filter((row) => row.node.children.length > 0)
    .map((row) => row.node.key);
}

/** Every node of the tree in the order shown. */
export function listNodes(roots: readonly SpanNode[]): SpanNode[] {
  return listRows(roots, new Set()).map((row) => row.node);
}

/** The keys of the nodes above one, so that it can be brought into sight. */
export function listAncestors(node: SpanNode): string[] {
  const path: string[] = [];
  for (let one = node.parent; one !== null; one = one.parent) path.unshift(one.key);
  return path;
}
