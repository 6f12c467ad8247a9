/** What is odd about a trace as a whole: parents that never came, clocks that disagree. */

import type { SpanNode } from "./spanTree";
import type { Times } from "./timeline";

export interface Oddities {
  missingParents: number;
  /** Spans that hang under a parent which was not recorded. */
  orphans: number;
  /** Spans that began before their parent did, and by how much at most. */
  early: number;
  mostEarlyNs: number;
  firstEarly: SpanNode | null;
}

/** Below this, clocks of one machine differ too. */
const LEAST_SKEW_NS = 1000;

export function findOddities(
  nodes: readonly SpanNode[],
  times: ReadonlyMap<SpanNode, Times>,
): Oddities {
  const found: Oddities = {
    missingParents: 0,
    orphans: 0,
    early: 0,
    mostEarlyNs: 0,
    firstEarly: null,
  };
  for (const node of nodes) {
    if (node.span === null) {
      found.missingParents += 1;
      found.orphans += node.children.length;
      continue;
    }
    const own = times.get(node);
    const above = node.parent?.span ? times.get(node.parent) : undefined;
    if (own === undefined || above === undefined) continue;
    const earlyNs = above.start - own.start;
    if (earlyNs < LEAST_SKEW_NS) continue;
    found.early += 1;
    found.firstEarly ??= node;
    found.mostEarlyNs = Math.max(found.mostEarlyNs, earlyNs);
  }
  return found;
}
