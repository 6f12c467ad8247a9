/** Everything that is worked out from a trace's spans: tree, times, critical path, what was found. */

import { useDeferredValue, useMemo } from "react";

import type { Trace } from "../../api/types";
import { findCriticalPath, type Stretch } from "../../model/ownTime";
import { filterNodes, findNodes } from "../../model/spanSearch";
import { buildTree, listNodes, listRows, type SpanNode, type SpanRow } from "../../model/spanTree";
import { type Extent, findExtent, readTimes, type Times } from "../../model/timeline";
import type { TraceView } from "./url";

export interface Tree {
  roots: readonly SpanNode[];
  nodes: readonly SpanNode[];
  extent: Extent;
  times: ReadonlyMap<SpanNode, Times>;
  criticalPath: ReadonlyMap<SpanNode, readonly Stretch[]>;
}

export function useTree(trace: Trace, readAtMs: number): Tree {
  return useMemo(() => {
    const roots = buildTree(trace.spans);
    const nodes = listNodes(roots);
    // A clock in the browser may differ from the app's: only a running trace is drawn up to now.
    const isRunning = trace.info.state === "IN_PROGRESS";
    const extent = findExtent(trace.spans, isRunning ? BigInt(readAtMs) * 1_000_000n : null);
    const times = readTimes(nodes, extent);
    return { roots, nodes, extent, times, criticalPath: findCriticalPath(roots, times) };
  }, [trace, readAtMs]);
}

export interface Shown {
  rows: readonly SpanRow[];
  /** The nodes that hold the text looked for; null where none is looked for. */
  found: ReadonlySet<SpanNode> | null;
  /** The nodes that the filter is about; null where there is no filter. */
  fits: ReadonlySet<SpanNode> | null;
}

export function useShown(tree: Tree, view: TraceView, collapsed: ReadonlySet<string>): Shown {
  const text = useDeferredValue(view.find);
  const found = useMemo(() => findNodes(tree.nodes, text), [tree.nodes, text]);
  const types = view.types.join("\n");
  const filtered = useMemo(() => {
    const filter = { onlyErrors: view.onlyErrors, types: types === "" ? [] : types.split("\n") };
    return filterNodes(tree.nodes, filter);
  }, [tree.nodes, view.onlyErrors, types]);
  const rows = useMemo(
    () => listRows(tree.roots, collapsed, filtered?.kept ?? null),
    [tree.roots, collapsed, filtered],
  );
  return { rows, found, fits: filtered?.fits ?? null };
}
