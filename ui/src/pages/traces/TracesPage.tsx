/** The Traces tab: the filter, what it found, and how to get further. */

import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { ApiError } from "../../api/client";
import { useScope } from "../../api/scope";
import type { TraceInfo } from "../../api/types";
import type { FilterFieldHandle } from "../../components/filter/FilterInput";
import { Problem } from "../../components/Problem";
import { Shortcuts } from "../../components/Shortcuts";
import { readKept, useKept } from "../../kept";
import { type ColumnChoice, readChoice } from "../../model/columns";
import { listRows } from "../../model/sessions";
import type { Shortcut } from "../../model/shortcuts";
import { ALL_TIME } from "../../model/time";
import { Link, navigate, useIsPage } from "../../router";
import { buildTraceUrl } from "../trace/url";
import { COLUMN_IDS, DEFAULT_COLUMNS } from "./columns";
import { Controls } from "./Controls";
import { EmptyState } from "./EmptyState";
import { FacetSidebar } from "./FacetSidebar";
import { Histogram } from "./Histogram";
import { keepLastList } from "./lastList";
import { SelectionBar } from "./SelectionBar";
import { TraceTable } from "./TraceTable";
import styles from "./TracesPage.module.css";
import { buildTracesUrl, type TracesView } from "./url";
import { type TraceList, useTraceList } from "./useTraceList";

const SIDEBAR = "whence.sidebar";
const WIDE = "(min-width: 900px)";

export function TracesPage({ view }: { view: TracesView }) {
  const { scope, restart } = useScope(view);
  const list = useTraceList(view, scope, restart);
  const { traces, query } = list;
  const filterField = useRef<FilterFieldHandle | null>(null);
  const [isSidebarOpen, setSidebarOpen] = useState(
    () => window.matchMedia(WIDE).matches && readKept(SIDEBAR) !== "closed",
  );
  const [, keepSidebar] = useKept(SIDEBAR);
  const [choice, setChoice] = useColumns(view.experimentIds);
  const selection = useSelection(traces);
  const [pair = "", other = ""] = selection.ids;
  const diff = `/diff/${encodeURIComponent(pair)}...${encodeURIComponent(other)}`;
  const hasDiff = useIsPage(diff) && selection.ids.size === 2;
  const isFirst =
    view.filter === "" && view.experimentIds.length === 0 && view.time.kind === "all";
  const isLocked = query.error instanceof ApiError && query.error.status === 401;
  const isEmpty = list.hasPages && traces.length === 0 && query.error === null;

  useEffect(() => keepLastList(buildTracesUrl(view)), [view]);
  const run = (filter: string): void => {
    if (filter === view.filter) list.again();
    else navigate(buildTracesUrl({ ...view, filter }));
  };
  const toggleSidebar = (): void => {
    if (window.matchMedia(WIDE).matches) keepSidebar(isSidebarOpen ? "closed" : "open");
    setSidebarOpen(!isSidebarOpen);
  };
  const walk = useWalk(traces);
  const shortcuts: Shortcut[] = [
    { keys: ["/"], does: "Go to the filter", run: () => filterField.current?.focus() },
    ...walk.shortcuts,
    {
      keys: ["x"],
      does: "Select the trace",
      run: () => {
        if (walk.activeId !== null) selection.toggle(walk.activeId, false);
      },
    },
    ...(hasDiff
      ? [{ keys: ["c"], does: "Compare the two selected", run: () => navigate(diff) }]
      : []),
    { keys: ["r"], does: "Ask again", run: list.again },
    {
      keys: ["v"],
      does: "Live tail on or off",
      run: () => navigate(buildTracesUrl({ ...view, isLive: !view.isLive })),
    },
    { keys: ["f"], does: "Show or hide the fields", run: toggleSidebar },
    {
      keys: ["Escape"],
      does: "Leave the filter",
      run: () => filterField.current?.blur(),
      inFields: true,
    },
  ];

  return (
    <>
      <title>Traces · Whence</title>
      <Shortcuts table={shortcuts} />
      <h1 className="visually-hidden">Traces</h1>
      <Controls
        view={view}
        bounds={scope.bounds}
        filterField={filterField}
        list={list}
        choice={choice}
        onChoice={setChoice}
        onRun={run}
        isSidebarOpen={isSidebarOpen}
        onSidebar={toggleSidebar}
      />
      {query.error !== null && !list.isFilterWrong ? (
        <Problem error={query.error} onRetry={list.again} />
      ) : null}
      {isLocked ? null : isEmpty && isFirst ? (
        <EmptyState />
      ) : (
        <div className={styles.body}>
          {isSidebarOpen ? (
            <aside className={styles.sidebar} aria-label="Fields">
              <FacetSidebar view={view} scope={scope} isWanted={list.isAnswered} />
            </aside>
          ) : null}
          <div className={styles.main}>
            <Histogram view={view} scope={scope} isWanted={list.isAnswered} />
            <SelectionBar
              selected={selection.ids}
              onClear={selection.clear}
              diffHref={hasDiff ? diff : null}
            />
            {isEmpty ? <NothingFound view={view} /> : null}
            {!list.hasPages && query.isPending ? <Skeleton /> : null}
            {traces.length > 0 ? (
              <Listed
                view={view}
                list={list}
                choice={choice}
                onChoice={setChoice}
                activeId={walk.activeId}
                selection={selection}
              />
            ) : null}
          </div>
        </div>
      )}
    </>
  );
}

/** Where the keyboard is in the list. */
function useWalk(traces: readonly TraceInfo[]) {
  const [activeId, setActiveId] = useState<string | null>(null);
  const step = (by: number): void => {
    const at = traces.findIndex((info) => info.trace_id === activeId);
    const next = Math.min(traces.length - 1, Math.max(0, at + by));
    setActiveId(traces[next]?.trace_id ?? null);
  };
  const shortcuts: Shortcut[] = [
    { keys: ["j", "ArrowDown"], does: "Next trace", run: () => step(1) },
    { keys: ["k", "ArrowUp"], does: "Previous trace", run: () => step(-1) },
    {
      keys: ["Enter"],
      does: "Open the trace",
      run: () => {
        if (activeId !== null) navigate(buildTraceUrl({ traceId: activeId }));
      },
    },
  ];
  return { activeId, shortcuts };
}

/** The chosen columns, kept for each experiment. */
function useColumns(experimentIds: readonly string[]) {
  const [kept, keep] = useKept(`whence.columns.${experimentIds[0] ?? "all"}`);
  const choice = useMemo(() => readChoice(kept, COLUMN_IDS, DEFAULT_COLUMNS), [kept]);
  return [choice, (next: ColumnChoice) => keep(JSON.stringify(next))] as const;
}

interface Selection {
  ids: ReadonlySet<string>;
  toggle: (traceId: string, isRange: boolean) => void;
  /** Null where everything listed is selected already. */
  selectAll: (() => void) | null;
  clear: () => void;
}

function useSelection(traces: readonly TraceInfo[]): Selection {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const last = useRef<string | null>(null);
  const toggle = (traceId: string, isRange: boolean): void => {
    const next = new Set(ids);
    const from = traces.findIndex((info) => info.trace_id === last.current);
    const to = traces.findIndex((info) => info.trace_id === traceId);
    if (isRange && from >= 0 && to >= 0) {
      const [low, high] = from < to ? [from, to] : [to, from];
      for (const info of traces.slice(low, high + 1)) next.add(info.trace_id);
    } else if (!next.delete(traceId)) {
      next.add(traceId);
    }
    last.current = traceId;
    setIds(next);
  };
  const hasAll = traces.length > 0 && traces.every((info) => ids.has(info.trace_id));
  return {
    ids,
    toggle,
    selectAll: hasAll ? null : () => setIds(new Set(traces.map((info) => info.trace_id))),
    clear: () => setIds(new Set()),
  };
}

interface ListedProps {
  view: TracesView;
  list: TraceList;
  choice: ColumnChoice;
  onChoice: (choice: ColumnChoice) => void;
  activeId: string | null;
  selection: Selection;
}

function Listed({ view, list, choice, onChoice, activeId, selection }: ListedProps) {
  const { query, traces, live } = list;
  const [openedAtMs] = useState(() => Date.now());
  const rows = useMemo(() => listRows(traces, view.isGrouped), [traces, view.isGrouped]);
  const active = rows.findIndex((row) => row.kind === "trace" && row.info.trace_id === activeId);
  const { hasNextPage, isFetchingNextPage, fetchNextPage, isPlaceholderData } = query;
  const isReady = hasNextPage && !isFetchingNextPage && !isPlaceholderData;
  const loadMore = useCallback(() => {
    if (isReady) void fetchNextPage();
  }, [isReady, fetchNextPage]);
  return (
    <div className={styles.listed}>
      {live.waiting > 0 ? (
        <button
          type="button"
          className={styles.pill}
          onClick={() => {
            list.showWaiting();
            document.querySelector("[role=table]")?.parentElement?.scrollTo({ top: 0 });
          }}
        >
          ↑ {live.waiting.toLocaleString("en-US")} new
        </button>
      ) : null}
      <TraceTable
        view={view}
        rows={rows}
        choice={choice}
        onChoice={onChoice}
        active={active < 0 ? null : active}
        selected={selection.ids}
        onSelect={selection.toggle}
        onSelectAll={selection.selectAll}
        fresh={list.fresh}
        isStale={isPlaceholderData || list.isFilterWrong}
        nowMs={Math.max(query.dataUpdatedAt, openedAtMs)}
        onNearEnd={loadMore}
        onHold={list.hold}
        footer={
          hasNextPage ? (
            <div className={styles.more}>
              <button
                type="button"
                className="quiet-button"
                disabled={isFetchingNextPage}
                onClick={() => void fetchNextPage()}
              >
                {isFetchingNextPage ? "Loading…" : "Load more"}
              </button>
            </div>
          ) : null
        }
      />
    </div>
  );
}

function NothingFound({ view }: { view: TracesView }) {
  return (
    <div className={styles.nothing}>
      <h2>No trace matches</h2>
      <p>
        {view.time.kind === "all" ? null : (
          <>
            <Link href={buildTracesUrl({ ...view, time: ALL_TIME })}>Look at all times</Link>.{" "}
          </>
        )}
        <Link href={buildTracesUrl({ isLive: view.isLive })}>Show all traces</Link>. A comparison on
        a key that a trace does not have is false: <code>IS NULL</code> finds those.
      </p>
    </div>
  );
}

function Skeleton() {
  return (
    <div className={styles.skeleton} aria-label="Loading" role="status">
      {Array.from({ length: 12 }, (_, index) => (
        // eslint-disable-next-line react/no-array-index-key -- they are all alike
        <div key={index} />
      ))}
    </div>
  );
}
