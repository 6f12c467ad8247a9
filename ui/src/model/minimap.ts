/**
 * The whole trace in little: rows and time rounded to a grid, so that 10,000 spans become a few
 * paths of at most `lines × columns` strokes.
 */

import { isFailed, type SpanNode } from "./spanTree";
import { lookOf } from "./spanTypes";
import type { Times } from "./timeline";

export interface MinimapPath {
  colour: string;
  /** An SVG path on a grid of `columns` × `lines`, to be stroked one unit wide. */
  path: string;
}

const FAILED = "var(--error)";

export function drawMinimap(
  nodes: readonly SpanNode[],
  times: ReadonlyMap<SpanNode, Times>,
  lengthNs: number,
  columns: number,
  lines: number,
): MinimapPath[] {
  const used = Math.min(lines, nodes.length);
  // Which colour each cell has: its place in `colours` plus one; 0 is empty. Failures win.
  const colours: string[] = [FAILED];
  const cells = new Uint8Array(columns * used);
  nodes.forEach((node, index) => {
    const at = times.get(node);
    if (node.span === null || at === undefined) return;
    const line = Math.floor((index * used) / nodes.length);
    const colour = isFailed(node.span) ? FAILED : lookOf(node.span.span_type).colour;
    let place = colours.indexOf(colour);
    if (place < 0) place = colours.push(colour) - 1;
    const first = Math.min(columns - 1, Math.max(0, Math.floor((at.start / lengthNs) * columns)));
    const last = Math.min(columns - 1, Math.max(first, Math.ceil((at.end / lengthNs) * columns) - 1));
    for (let column = first; column <= last; column += 1) {
      const cell = line * columns + column;
      if (cells[cell] !== 1) cells[cell] = place + 1;
    }
  });
  return colours.flatMap((colour, place) => {
    const path = traceCells(cells, place + 1, columns, used);
    return path === "" ? [] : [{ colour, path }];
  });
}

function traceCells(cells: Uint8Array, wanted: number, columns: number, lines: number): string {
  const strokes: string[] = [];
  for (let line = 0; line < lines; line += 1) {
    let from = -1;
    for (let column = 0; column <= columns; column += 1) {
      const isWanted = column < columns && cells[line * columns + column] === wanted;
      if (isWanted && from < 0) from = column;
      if (!isWanted && from >= 0) {
        strokes.push(`M${from} ${line + 0.5}H${column}`);
        from = -1;
      }
    }
  }
  return strokes.join("");
}
