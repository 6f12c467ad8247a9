/**
 * Which time belongs to a span itself: beside its children (self time), and on the critical path.
 *
 * The critical path is walked as `whence.analysis.critical_path` does it: from a span's end back,
 * the child that ended last is what was waited for; what lies between is the span's own. So the own
 * times of all spans add up to the root's duration. Spans whose parent was not recorded count as
 * children of the first root that has none. No recursion.
 */

import type { SpanNode } from "./spanTree";
import type { Times } from "./timeline";

/** From and to, in nanoseconds after the trace's start. */
export type Stretch = readonly [number, number];

type TimesOf = ReadonlyMap<SpanNode, Times>;

/** The time of a span during which none of its children ran. */
export function listSelfStretches(node: SpanNode, times: TimesOf): Stretch[] {
  const own = times.get(node);
  if (own === undefined || node.span === null) return [];
  const covered = node.children
    .map((child) => times.get(child))
    .filter((child): child is Times => child !== undefined)
    .toSorted((left, right) => left.start - right.start);
  const free: Stretch[] = [];
  let at = own.start;
  for (const { start, end } of covered) {
    if (start > at) free.push([at, Math.min(start, own.end)]);
    at = Math.max(at, end);
    if (at >= own.end) return free;
  }
  if (own.end > at) free.push([at, own.end]);
  return free;
}

export function measureStretches(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, [from, to]) => sum + (to - from), 0);
}

/** Every span's own time on the critical path, in order of time; spans nobody waited for are absent. */
export function findCriticalPath(
  roots: readonly SpanNode[],
  times: TimesOf,
): Map<SpanNode, Stretch[]> {
  const path = new Map<SpanNode, Stretch[]>();
  const add = (node: SpanNode, from: number, to: number): void => {
    if (to <= from) return;
    const known = path.get(node);
    if (known === undefined) path.set(node, [[from, to]]);
    else known.push([from, to]);
  };
  const { tops, adopted } = adopt(roots, times);
  const waiting = tops.map((node) => ({ node, start: startOf(node, times), end: endOf(node, times) }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, start, end } = next;
    let now = end;
    const children = node === tops[0] ? [...node.children, ...adopted] : node.children;
    for (const child of children.toSorted((a, b) => endOf(b, times) - endOf(a, times))) {
      const until = Math.min(endOf(child, times), now);
      const since = Math.max(startOf(child, times), start);
      if (until <= since) continue;
      add(node, until, now);
      waiting.push({ node: child, start: since, end: until });
      now = since;
    }
    add(node, start, now);
  }
  for (const stretches of path.values()) stretches.sort(([left], [right]) => left - right);
  return path;
}

function startOf(node: SpanNode, times: TimesOf): number {
  return times.get(node)?.start ?? 0;
}

function endOf(node: SpanNode, times: TimesOf): number {
  return times.get(node)?.end ?? 0;
}

/** The roots to walk from, and the orphans that the first of them takes in. */
function adopt(
  roots: readonly SpanNode[],
  times: TimesOf,
): { tops: readonly SpanNode[]; adopted: readonly SpanNode[] } {
  const children = roots.flatMap((root) => (root.span === null ? root.children : [root]));
  const first = children
    .filter((node) => node.span?.parent_id === null)
    .toSorted((a, b) => startOf(a, times) - startOf(b, times))[0];
  if (first === undefined) return { tops: children, adopted: [] };
  return { tops: [first], adopted: children.filter((node) => node !== first) };
}

/** Stretches as they are drawn: those closer together than `least` become one. */
export function joinStretches(stretches: readonly Stretch[], least: number): Stretch[] {
  const joined: [number, number][] = [];
  for (const [from, to] of stretches) {
    const last = joined.at(-1);
    if (last !== undefined && from - last[1] < least) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  return joined;
}
