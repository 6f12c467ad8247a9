/** The spans of one trace by name: how many, how long, how much of it their own. */

import { listSelfStretches, measureStretches, type Stretch } from "./ownTime";
import { isFailed, type SpanNode } from "./spanTree";
import type { Times } from "./timeline";

export interface NameStatistics {
  name: string;
  spanType: string;
  count: number;
  errors: number;
  totalNs: number;
  selfNs: number;
  /** On the critical path; these add up to the trace's duration. */
  criticalNs: number;
  p50Ns: number;
  p95Ns: number;
  longest: SpanNode;
}

interface Gathered {
  spanType: string;
  errors: number;
  selfNs: number;
  criticalNs: number;
  durations: number[];
  longest: SpanNode;
}

export function summariseNames(
  nodes: readonly SpanNode[],
  times: ReadonlyMap<SpanNode, Times>,
  criticalPath: ReadonlyMap<SpanNode, readonly Stretch[]>,
): NameStatistics[] {
  const byName = new Map<string, Gathered>();
  for (const node of nodes) {
    const at = times.get(node);
    if (node.span === null || at === undefined) continue;
    let found = byName.get(node.span.name);
    if (found === undefined) {
      const spanType = node.span.span_type;
      found = { spanType, errors: 0, selfNs: 0, criticalNs: 0, durations: [], longest: node };
      byName.set(node.span.name, found);
    }
    const durationNs = at.end - at.start;
    const longest = times.get(found.longest);
    if (longest !== undefined && durationNs > longest.end - longest.start) found.longest = node;
    found.errors += Number(isFailed(node.span));
    found.durations.push(durationNs);
    found.selfNs += measureStretches(listSelfStretches(node, times));
    found.criticalNs += measureStretches(criticalPath.get(node) ?? []);
  }
  return [...byName]
    .map(([name, { durations, ...rest }]) => {
      const sorted = durations.toSorted((left, right) => left - right);
      return {
        ...rest,
        name,
        count: sorted.length,
        totalNs: sorted.reduce((sum, one) => sum + one, 0),
        p50Ns: quantile(sorted, 0.5),
        p95Ns: quantile(sorted, 0.95),
      };
    })
    .toSorted((left, right) => right.selfNs - left.selfNs);
}

/** The smallest value that at least this share of the sorted values does not exceed. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
