/** The Traces tab: the filter, what it found, and how to get further. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";

import { ApiError } from "../../api/client";
import { tracesQuery } from "../../api/queries";
import type { TraceInfo } from "../../api/types";
import { Problem } from "../../components/Problem";
import { Shortcuts } from "../../components/Shortcuts";
import { formatCount, formatNumberOf } from "../../model/format";
import type { Shortcut } from "../../model/shortcuts";
import { Link, navigate } from "../../router";
import { buildTraceUrl } from "../trace/url";
import { Chips, ExperimentChoice } from "./Chips";
import { EmptyState } from "./EmptyState";
import { FilterBar } from "./FilterBar";
import { TraceTable } from "./TraceTable";
import styles from "./TracesPage.module.css";
import { buildTracesUrl, type TracesView } from "./url";

const NO_TRACES: readonly TraceInfo[] = [];

export function TracesPage({ view }: { view: TracesView }) {
  const query = useInfiniteQuery(tracesQuery(view));
  // A filter that the server refuses leaves the rows that were there.
  const [kept, setKept] = useState(query.data);
  if (query.data !== undefined && query.data !== kept) setKept(query.data);
  const pages = (query.data ?? kept)?.pages;
  const traces = useMemo(
    () => pages?.flatMap((page) => page.traces.map(({ info }) => info)) ?? NO_TRACES,
    [pages],
  );
  const [activeId, setActiveId] = useState<string | null>(null);
  const activeIndex = traces.findIndex((info) => info.trace_id === activeId);
  const [openedAtMs] = useState(() => Date.now());
  const input = useRef<HTMLInputElement>(null);
  const isFilterWrong = query.error instanceof ApiError && query.error.status === 400;
  const isFirst = view.filter === "" && view.experimentIds.length === 0;

  const step = (by: number): void => {
    const next = Math.min(traces.length - 1, Math.max(0, activeIndex + by));
    setActiveId(traces[next]?.trace_id ?? null);
  };
  const shortcuts: Shortcut[] = [
    { keys: ["/"], does: "Go to the filter", run: () => input.current?.select() },
    { keys: ["j", "ArrowDown"], does: "Next trace", run: () => step(1) },
    { keys: ["k", "ArrowUp"], does: "Previous trace", run: () => step(-1) },
    {
      keys: ["Enter"],
      does: "Open the trace",
      run: () => {
        if (activeId !== null) navigate(buildTraceUrl({ traceId: activeId }));
      },
    },
    { keys: ["r"], does: "Ask again", run: () => void query.refetch() },
    {
      keys: ["Escape"],
      does: "Leave the filter",
      run: () => input.current?.blur(),
      inFields: true,
    },
  ];
  const run = (filter: string): void => {
    if (filter === view.filter) void query.refetch();
    else navigate(buildTracesUrl({ ...view, filter }));
  };

  return (
    <>
      <title>Traces · Whence</title>
      <Shortcuts table={shortcuts} />
      <div className={styles.controls}>
        <div className={styles.line}>
          <ExperimentChoice view={view} />
          <FilterBar input={input} filter={view.filter} error={query.error} onRun={run} />
        </div>
        <div className={styles.line}>
          <Chips view={view} />
          <Count query={query} shown={traces.length} />
        </div>
      </div>
      {query.error !== null && !isFilterWrong ? (
        <Problem error={query.error} onRetry={() => void query.refetch()} />
      ) : null}
      {pages === undefined && query.isPending ? <Skeleton /> : null}
      {pages !== undefined && traces.length === 0 && query.error === null ? (
        isFirst ? (
          <EmptyState />
        ) : (
          <NothingFound view={view} />
        )
      ) : null}
      {traces.length > 0 ? (
        <TraceTable
          view={view}
          traces={traces}
          active={activeIndex < 0 ? null : activeIndex}
          isStale={query.isPlaceholderData || isFilterWrong}
          nowMs={Math.max(query.dataUpdatedAt, openedAtMs)}
          footer={
            query.hasNextPage ? (
              <div className={styles.more}>
                <button
                  type="button"
                  className="quiet-button"
                  disabled={query.isFetchingNextPage}
                  onClick={() => void query.fetchNextPage()}
                >
                  {query.isFetchingNextPage ? "Loading…" : "Load more"}
                </button>
              </div>
            ) : null
          }
        />
      ) : null}
    </>
  );
}

interface CountProps {
  query: {
    hasNextPage: boolean;
    isFetching: boolean;
    isPlaceholderData: boolean;
    data: { pages: { elapsed_ms: number }[] } | undefined;
  };
  shown: number;
}

/** How many are shown, whether there are more, and how long the server took. */
function Count({ query, shown }: CountProps) {
  const { data, hasNextPage, isFetching, isPlaceholderData } = query;
  const elapsed = data?.pages.at(-1)?.elapsed_ms;
  let count: string | null = null;
  if (data !== undefined && !isPlaceholderData) {
    count = hasNextPage
      ? `showing ${formatCount(shown)}, more available`
      : formatNumberOf(shown, "trace");
  }
  const time = elapsed === undefined ? null : `${elapsed.toFixed(0)} ms`;
  return (
    <p className={styles.count} role="status">
      {count}
      <span>{isFetching ? "asking…" : time}</span>
    </p>
  );
}

function NothingFound({ view }: { view: TracesView }) {
  return (
    <div className={styles.nothing}>
      <h1>No trace matches</h1>
      <p>
        <Link href={buildTracesUrl({ ...view, filter: "", experimentIds: [] })}>
          Show all traces
        </Link>
        . A comparison on a key that a trace does not have is false: <code>IS NULL</code> finds those.
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
