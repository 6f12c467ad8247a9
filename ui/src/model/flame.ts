/** Boxes of a flame chart: a row for each depth; what is too narrow to be seen is drawn together. */

import type { SpanNode } from "./spanTree";
import { placeBar, type Sight, type Times } from "./timeline";

export interface FlameBox {
  node: SpanNode;
  /** Fractions of the chart. */
  left: number;
  width: number;
  row: number;
  /** How many spans the box stands for. */
  count: number;
}

/** Children that overlap their elder siblings are put into rows of their own further down. */
export function layOutFlame(
  roots: readonly SpanNode[],
  times: ReadonlyMap<SpanNode, Times>,
  lengthNs: number,
  sight: Sight,
  least: number,
): { boxes: FlameBox[]; depth: number } {
  const boxes: FlameBox[] = [];
  /** Of every row, the last box drawn. */
  const last: (FlameBox | undefined)[] = [];
  const ends: number[] = [];
  let depth = 0;
  const waiting = roots.map((node) => ({ node, row: 0 })).toReversed();
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node } = next;
    const at = times.get(node);
    if (at === undefined) continue;
    let { row } = next;
    while ((ends[row] ?? -Infinity) > at.start) row += 1;
    if (node.span !== null) {
      ends[row] = Math.max(ends[row] ?? 0, at.end);
      const bar = placeBar(at.start, at.end, lengthNs, sight);
      const before = last[row];
      if (!bar.isOut) {
        depth = Math.max(depth, row + 1);
        if (before !== undefined && bar.width < least && bar.left - before.left < least) {
          before.count += 1;
          before.width = Math.max(before.width, bar.left + bar.width - before.left);
        } else {
          const box = { node, left: bar.left, width: bar.width, row, count: 1 };
          boxes.push(box);
          last[row] = box;
        }
      }
    }
    const below = node.span === null ? row : row + 1;
    for (const child of node.children.toReversed()) waiting.push({ node: child, row: below });
  }
  return { boxes, depth };
}
