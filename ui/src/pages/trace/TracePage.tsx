/** One trace: its facts, the tree of its spans with bars, and a panel for the span or the context. */

import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { ApiError } from "../../api/client";
import { traceQuery } from "../../api/queries";
import type { Trace } from "../../api/types";
import { Problem } from "../../components/Problem";
import { Shortcuts } from "../../components/Shortcuts";
import type { Shortcut } from "../../model/shortcuts";
import {
  buildTree,
  isFailed,
  listAncestors,
  listParents,
  listRows,
  type SpanRow,
} from "../../model/spanTree";
import { findExtent } from "../../model/timeline";
import { Link, navigate } from "../../router";
import { buildTracesUrl } from "../traces/url";
import { ContextPanel } from "./ContextPanel";
import { SpanPanel } from "./SpanPanel";
import { TraceHeader } from "./TraceHeader";
import styles from "./TracePage.module.css";
import { buildTraceUrl, type TraceView } from "./url";
import { Waterfall } from "./Waterfall";

export function TracePage({ view }: { view: TraceView }) {
  const query = useQuery(traceQuery(view.traceId));
  if (query.data !== undefined) {
    return <ShownTrace view={view} trace={query.data} readAtMs={query.dataUpdatedAt} />;
  }
  if (query.error instanceof ApiError && query.error.status === 404) {
    return (
      <div className={styles.missing}>
        <h1>There is no such trace</h1>
        <p>
          <code>{view.traceId}</code> is not in this store: it was deleted, or has not arrived yet.{" "}
          <Link href={buildTracesUrl({})}>All traces</Link>
        </p>
      </div>
    );
  }
  if (query.error !== null) {
    return <Problem error={query.error} onRetry={() => void query.refetch()} />;
  }
  return <p className={styles.loading}>Loading the trace…</p>;
}

interface ShownTraceProps {
  view: TraceView;
  trace: Trace;
  readAtMs: number;
}

function ShownTrace({ view, trace, readAtMs }: ShownTraceProps) {
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const roots = useMemo(() => buildTree(trace.spans), [trace.spans]);
  const rows = useMemo(() => listRows(roots, collapsed), [roots, collapsed]);
  const extent = useMemo(() => {
    // A clock in the browser may differ from the app's: only a running trace is drawn up to now.
    const isRunning = trace.info.state === "IN_PROGRESS";
    return findExtent(trace.spans, isRunning ? BigInt(readAtMs) * 1_000_000n : null);
  }, [trace, readAtMs]);
  const selected = trace.spans.find((span) => span.span_id === view.spanId) ?? null;
  const at = rows.findIndex((row) => row.node.span !== null && row.node.span === selected);

  const select = (spanId: string | null): void => {
    if (spanId !== null) {
      const above = listAncestors(roots, spanId).filter((key) => collapsed.has(key));
      if (above.length > 0) {
        setCollapsed(new Set([...collapsed].filter((key) => !above.includes(key))));
      }
    }
    navigate(buildTraceUrl({ traceId: view.traceId, spanId }), "replace");
  };
  const toggle = (key: string): void => {
    const next = new Set(collapsed);
    if (!next.delete(key)) next.add(key);
    setCollapsed(next);
  };
  const shortcuts = listShortcuts({
    rows,
    at,
    select,
    toggle,
    collapseAll: () => setCollapsed(new Set(listParents(roots))),
    expandAll: () => setCollapsed(new Set()),
  });
  const title = trace.info.name ?? trace.info.trace_id;

  return (
    <>
      <title>{`${title} · Whence`}</title>
      <Shortcuts table={shortcuts} />
      <TraceHeader trace={trace} nowMs={readAtMs} />
      <div className={styles.split}>
        <Waterfall
          rows={rows}
          extent={extent}
          selected={at}
          hrefOf={(spanId) => buildTraceUrl({ traceId: view.traceId, spanId })}
          onSelect={select}
          onToggle={toggle}
        />
        <aside className={styles.panel} aria-label="Details">
          <PanelTabs view={view} hasSpan={selected !== null} />
          {selected === null || view.showsContext ? (
            <ContextPanel trace={trace} />
          ) : (
            <SpanPanel span={selected} traceStartNs={extent.startNs} key={selected.span_id} />
          )}
        </aside>
      </div>
    </>
  );
}

function PanelTabs({ view, hasSpan }: { view: TraceView; hasSpan: boolean }) {
  const showsContext = !hasSpan || view.showsContext;
  return (
    <nav className={styles.tabs} aria-label="Details">
      {hasSpan ? (
        <Link href={buildTraceUrl({ ...view, showsContext: false })} aria-current={!showsContext}>
          Span
        </Link>
      ) : null}
      <Link href={buildTraceUrl({ ...view, showsContext: hasSpan })} aria-current={showsContext}>
        Context
      </Link>
      {hasSpan ? null : <span>Select a span to see its inputs and outputs</span>}
    </nav>
  );
}

interface Actions {
  rows: readonly SpanRow[];
  at: number;
  select: (spanId: string | null) => void;
  toggle: (key: string) => void;
  collapseAll: () => void;
  expandAll: () => void;
}

function isError({ node }: SpanRow): boolean {
  return node.span !== null && isFailed(node.span);
}

function listShortcuts({ rows, at, select, toggle, collapseAll, expandAll }: Actions): Shortcut[] {
  const current = rows[at];
  const seek = (from: number, by: 1 | -1, fits: (row: SpanRow) => boolean): void => {
    for (let index = from + by; index >= 0 && index < rows.length; index += by) {
      const row = rows[index];
      if (row !== undefined && row.node.span !== null && fits(row)) {
        select(row.node.spanId);
        return;
      }
    }
  };
  const fold = (wanted: boolean): void => {
    if (current === undefined || current.node.children.length === 0) return;
    if (current.isCollapsed !== wanted) toggle(current.node.key);
  };
  return [
    { keys: ["j", "ArrowDown"], does: "Next span", run: () => seek(at, 1, () => true) },
    {
      keys: ["k", "ArrowUp"],
      does: "Previous span",
      run: () => seek(at < 0 ? rows.length : at, -1, () => true),
    },
    { keys: ["h", "ArrowLeft"], does: "Collapse the span", run: () => fold(true) },
    { keys: ["l", "ArrowRight"], does: "Expand the span", run: () => fold(false) },
    { keys: ["["], does: "Collapse all", run: collapseAll },
    { keys: ["]"], does: "Expand all", run: expandAll },
    { keys: ["e"], does: "Next error", run: () => seek(at, 1, isError) },
    {
      keys: ["y"],
      does: "Copy the link",
      run: () => void navigator.clipboard?.writeText(window.location.href),
    },
    {
      keys: ["Escape"],
      does: "Close the span, then go to the list",
      run: () => (at >= 0 ? select(null) : navigate(buildTracesUrl({}))),
    },
  ];
}
