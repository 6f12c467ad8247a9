/** A trace that has come: heading, charts of its spans, and a panel for the span or the context. */

import { useCallback, useMemo, useRef, useState } from "react";

import type { Trace } from "../../api/types";
import { Problem } from "../../components/Problem";
import { Shortcuts } from "../../components/Shortcuts";
import { useKept } from "../../kept";
import { nameTrace } from "../../model/format";
import { findOddities } from "../../model/spanFacts";
import { countTypes } from "../../model/spanSearch";
import { isFailed, listAncestors, listParents, type SpanNode } from "../../model/spanTree";
import { clampSight, fit, type Sight, WHOLE } from "../../model/timeline";
import { sortByStart } from "../../model/traceLog";
import { navigate } from "../../router";
import { Banners } from "./Banners";
import { FlameChart } from "./FlameChart";
import { LogView } from "./LogView";
import { Minimap } from "./Minimap";
import { useNeighbours } from "./neighbours";
import { SidePanel } from "./SidePanel";
import { listShortcuts } from "./shortcuts";
import { StatisticsTable } from "./StatisticsTable";
import { showsTime, Toolbar } from "./Toolbar";
import { TraceHeader } from "./TraceHeader";
import styles from "./TracePage.module.css";
import { buildTraceUrl, type TraceView } from "./url";
import { type Shown, type Tree, useShown, useTree } from "./useTree";
import { Waterfall } from "./Waterfall";
import type { Emphasis } from "./WaterfallRow";

const EMPHASIS = "whence.trace.emphasis";

interface ShownTraceProps {
  view: TraceView;
  trace: Trace;
  readAtMs: number;
  /** A later request for the same trace failed. */
  error: Error | null;
  onRetry: () => void;
}

export function ShownTrace({ view, trace, readAtMs, error, onRetry }: ShownTraceProps) {
  const tree = useTree(trace, readAtMs);
  const folding = useFolding(tree);
  const shown = useShown(tree, view, folding.collapsed);
  const [sight, setSight] = useState<Sight>(WHOLE);
  const [keptEmphasis, keepEmphasis] = useKept(EMPHASIS);
  const emphasis: Emphasis =
    keptEmphasis === "self" || keptEmphasis === "none" ? keptEmphasis : "critical";
  const field = useRef<HTMLInputElement>(null);
  const neighbours = useNeighbours(trace.info.trace_id);
  const isLog = view.chart === "log";
  const walked = useMemo(
    () => (isLog ? sortByStart(shown.rows, tree.times) : shown.rows),
    [isLog, shown.rows, tree.times],
  );
  const at = walked.findIndex(
    ({ node }) => node.span !== null && node.span.span_id === view.spanId,
  );
  const selected = useMemo(
    () => tree.nodes.find(({ span }) => span !== null && span.span_id === view.spanId) ?? null,
    [tree, view.spanId],
  );
  const showSight = useCallback(
    (next: Sight) => setSight(clampSight(next, tree.extent.lengthNs)),
    [tree.extent.lengthNs],
  );
  const onView = (change: Partial<TraceView>): void => {
    navigate(buildTraceUrl({ ...view, ...change }), "replace");
  };
  const select = (spanId: string | null): void => {
    const node = tree.nodes.find(({ span }) => span !== null && span.span_id === spanId);
    if (node !== undefined) folding.open(node);
    const leaves = view.tab === "context" || spanId === null;
    navigate(buildTraceUrl({ ...view, spanId, tab: leaves ? null : view.tab }), "replace");
  };
  const matches = useMatches(tree, shown, selected, select);
  const walk = listShortcuts({
    rows: walked,
    at,
    select,
    toggle: folding.toggle,
    collapseAll: folding.collapseAll,
    expandAll: folding.expandAll,
    goToMatch: matches.go,
    fitSelected: () => {
      const times = selected === null ? undefined : tree.times.get(selected);
      if (times !== undefined) setSight(fit(times, tree.extent.lengthNs));
    },
    resetZoom: () => setSight(WHOLE),
    judge: () => onView({ tab: "assessments" }),
    goBeside: (by) => {
      const id = by < 0 ? neighbours.before : neighbours.after;
      if (id !== null) navigate(buildTraceUrl({ traceId: id }), "replace");
    },
    close: () => (view.spanId === null ? navigate(neighbours.listHref) : select(null)),
  });

  const shortcuts = [
    { keys: ["/"], does: "Find in this trace", run: () => field.current?.focus() },
    ...walk,
  ];

  return (
    <>
      <title>{`${nameTrace(trace.info)} · Whence`}</title>
      <Shortcuts table={shortcuts} />
      <TraceHeader trace={trace} nowMs={readAtMs} neighbours={neighbours} />
      {error === null ? null : <Problem error={error} onRetry={onRetry} />}
      <Banners oddities={useMemo(() => findOddities(tree.nodes, tree.times), [tree])} onSelect={select} />
      <div className={styles.split}>
        <div className={styles.spans}>
          <Toolbar
            view={view}
            onView={onView}
            field={field}
            matches={matches.found}
            onMatch={matches.go}
            types={useMemo(() => countTypes(trace.spans), [trace.spans])}
            errorCount={useMemo(() => trace.spans.filter(isFailed).length, [trace.spans])}
            emphasis={emphasis}
            onEmphasis={keepEmphasis}
            sight={sight}
            onSight={showSight}
          />
          {!showsTime(view.chart) || trace.spans.length < 2 ? null : (
            <Minimap tree={tree} sight={sight} onSight={showSight} />
          )}
          {view.chart === "waterfall" ? (
            <Waterfall
              tree={tree}
              shown={shown}
              selected={at}
              sight={sight}
              onSight={showSight}
              emphasis={emphasis}
              hrefOf={(spanId) => buildTraceUrl({ ...view, spanId })}
              onSelect={select}
              onToggle={folding.toggle}
            />
          ) : null}
          {view.chart === "flame" ? (
            <FlameChart tree={tree} shown={shown} selected={selected} sight={sight} onSight={showSight} onSelect={select} />
          ) : null}
          {isLog ? (
            <LogView
              tree={tree}
              shown={shown}
              sorted={walked}
              selected={selected}
              hrefOf={(spanId) => buildTraceUrl({ ...view, spanId })}
              onSelect={select}
            />
          ) : null}
          {view.chart === "table" ? <StatisticsTable tree={tree} view={view} onSelect={select} /> : null}
        </div>
        <SidePanel view={view} trace={trace} tree={tree} selected={selected} />
      </div>
    </>
  );
}

/** Which nodes are shut. */
function useFolding(tree: Tree) {
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  return {
    collapsed,
    toggle: (key: string): void => {
      const next = new Set(collapsed);
      if (!next.delete(key)) next.add(key);
      setCollapsed(next);
    },
    collapseAll: () => setCollapsed(new Set(listParents(tree.roots))),
    expandAll: () => setCollapsed(new Set()),
    /** Bring a node into sight. */
    open: (node: SpanNode): void => {
      const above = listAncestors(node).filter((key) => collapsed.has(key));
      if (above.length > 0) setCollapsed(new Set([...collapsed].filter((key) => !above.includes(key))));
    },
  };
}

/** The spans that hold the text looked for, and the way from one to the next. */
function useMatches(
  tree: Tree,
  shown: Shown,
  selected: SpanNode | null,
  select: (spanId: string) => void,
) {
  const { found, fits } = shown;
  const list = useMemo(
    () => (found === null ? null : tree.nodes.filter((node) => found.has(node) && fits?.has(node) !== false)),
    [tree.nodes, found, fits],
  );
  const at = list === null || selected === null ? -1 : list.indexOf(selected);
  const go = (by: 1 | -1): void => {
    if (list === null || list.length === 0) return;
    // From a span that is none of them: on to the next one below it, or above it.
    const place = selected === null ? -1 : tree.nodes.indexOf(selected);
    const beside =
      by > 0
        ? list.find((node) => tree.nodes.indexOf(node) > place)
        : list.findLast((node) => tree.nodes.indexOf(node) < place);
    const next = beside ?? (by > 0 ? list[0] : list.at(-1));
    if (next !== undefined) select(next.spanId);
  };
  return { found: list === null ? null : { count: list.length, at }, go };
}
