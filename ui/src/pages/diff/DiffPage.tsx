/** Two traces as one tree: what only one of them has, what took longer, and which texts differ. */

import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { ApiError } from "../../api/client";
import { traceDiffQuery, traceQuery } from "../../api/queries";
import type { Trace, TraceDiff } from "../../api/types";
import { Problem } from "../../components/Problem";
import { Shortcuts } from "../../components/Shortcuts";
import { listMergedRows, type MergedNode, mergeTraces } from "../../model/mergedTree";
import type { Shortcut } from "../../model/shortcuts";
import { Link, navigate } from "../../router";
import { readLastList } from "../traces/lastList";
import { DiffHeader } from "./DiffHeader";
import styles from "./DiffPage.module.css";
import { DiffPanel } from "./DiffPanel";
import { MergedRows } from "./MergedRows";
import { buildDiffUrl, type DiffView } from "./url";

export default function DiffPage({ view }: { view: DiffView }) {
  const diff = useQuery(traceDiffQuery(view.baseline, view.candidate));
  const baseline = useQuery(traceQuery(view.baseline));
  const candidate = useQuery(traceQuery(view.candidate));
  const error = diff.error ?? baseline.error ?? candidate.error;
  if (diff.data !== undefined && baseline.data !== undefined && candidate.data !== undefined) {
    return <ShownDiff view={view} diff={diff.data} baseline={baseline.data} candidate={candidate.data} />;
  }
  if (error instanceof ApiError && error.status === 404) {
    return (
      <div className={styles.missing}>
        <h1>There is no such trace</h1>
        <p>{error.message} It was deleted, or has not arrived yet.</p>
        <p>
          <Link href={readLastList()}>All traces</Link>
        </p>
      </div>
    );
  }
  if (error !== null) {
    const retry = (): void => {
      for (const query of [diff, baseline, candidate]) if (query.isError) void query.refetch();
    };
    return <Problem error={error} onRetry={retry} />;
  }
  return (
    <p className={styles.loading} role="status">
      Comparing the traces…
    </p>
  );
}

interface ShownDiffProps {
  view: DiffView;
  diff: TraceDiff;
  baseline: Trace;
  candidate: Trace;
}

function ShownDiff({ view, diff, baseline, candidate }: ShownDiffProps) {
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const tree = useMemo(
    () => mergeTraces(diff, baseline.spans, candidate.spans),
    [diff, baseline.spans, candidate.spans],
  );
  const rows = useMemo(
    () => listMergedRows(tree, collapsed, view.onlyChanges),
    [tree, collapsed, view.onlyChanges],
  );
  const selected = tree.nodes.find((node) => node.diff.path === view.path) ?? null;
  const at = selected === null ? -1 : rows.indexOf(selected);
  const select = (node: MergedNode | null): void => {
    navigate(buildDiffUrl({ ...view, path: node?.diff.path ?? null }), "replace");
  };
  const toggle = (path: string): void => {
    const next = new Set(collapsed);
    if (!next.delete(path)) next.add(path);
    setCollapsed(next);
  };
  const shortcuts = listShortcuts({ rows, at, selected, collapsed, view, select, toggle });
  const title = `${baseline.info.name ?? "trace"} ↔ ${candidate.info.name ?? "trace"}`;
  return (
    <>
      <title>{`${title} · Whence`}</title>
      <Shortcuts table={shortcuts} />
      <DiffHeader view={view} diff={diff} baseline={baseline.info} candidate={candidate.info} />
      <div className={styles.split}>
        <MergedRows tree={tree} rows={rows} selected={at} collapsed={collapsed} view={view} onSelect={select} onToggle={toggle} />
        <aside className={styles.panel} aria-label="Differences">
          <DiffPanel view={view} diff={diff} baseline={baseline} candidate={candidate} selected={selected} />
        </aside>
      </div>
    </>
  );
}

interface Actions {
  rows: readonly MergedNode[];
  at: number;
  selected: MergedNode | null;
  collapsed: ReadonlySet<string>;
  view: DiffView;
  select: (node: MergedNode | null) => void;
  toggle: (path: string) => void;
}

function listShortcuts({ rows, at, selected, collapsed, view, select, toggle }: Actions): Shortcut[] {
  const seek = (from: number, by: 1 | -1, fits: (node: MergedNode) => boolean): void => {
    for (let index = from + by; index >= 0 && index < rows.length; index += by) {
      const row = rows[index];
      if (row !== undefined && fits(row)) {
        select(row);
        return;
      }
    }
  };
  const fold = (wanted: boolean): void => {
    if (selected === null || selected.children.length === 0) return;
    if (collapsed.has(selected.diff.path) !== wanted) toggle(selected.diff.path);
  };
  return [
    { keys: ["j", "ArrowDown"], does: "Next span", run: () => seek(at, 1, () => true) },
    { keys: ["k", "ArrowUp"], does: "Previous span", run: () => seek(at < 0 ? rows.length : at, -1, () => true) },
    { keys: ["n"], does: "Next difference", run: () => seek(at, 1, (node) => node.diff.change !== "same") },
    {
      keys: ["p"],
      does: "Previous difference",
      run: () => seek(at < 0 ? rows.length : at, -1, (node) => node.diff.change !== "same"),
    },
    { keys: ["h"], does: "Collapse the span", run: () => fold(true) },
    { keys: ["l"], does: "Expand the span", run: () => fold(false) },
    {
      keys: ["o"],
      does: "Only differences, or all",
      run: () => navigate(buildDiffUrl({ ...view, onlyChanges: !view.onlyChanges }), "replace"),
    },
    {
      keys: ["s"],
      does: "Swap the traces",
      run: () => navigate(buildDiffUrl({ ...view, baseline: view.candidate, candidate: view.baseline })),
    },
    { keys: ["y"], does: "Copy the link", run: () => void navigator.clipboard?.writeText(window.location.href) },
    {
      keys: ["Escape"],
      does: "Close the span, then go to the list",
      run: () => (view.path === null ? navigate(readLastList()) : select(null)),
    },
  ];
}
