/** Above the list: what is searched, when, how it is shown, and how much was found. */

import type { RefObject } from "react";

import { ExperimentChoice } from "../../components/ExperimentChoice";
import { FilterBar } from "../../components/filter/FilterBar";
import type { FilterFieldHandle } from "../../components/filter/FilterInput";
import { TimeMenu } from "../../components/TimeMenu";
import type { ColumnChoice } from "../../model/columns";
import { formatCount, formatNumberOf } from "../../model/format";
import { ALL_TIME, type Bounds } from "../../model/time";
import { Link } from "../../router";
import { ColumnsMenu } from "./ColumnsMenu";
import { CopyMenu } from "./CopyMenu";
import styles from "./TracesPage.module.css";
import { buildTracesUrl, type TracesView } from "./url";
import type { TraceList } from "./useTraceList";
import { ViewsMenu } from "./ViewsMenu";

interface ControlsProps {
  view: TracesView;
  bounds: Bounds;
  filterField: RefObject<FilterFieldHandle | null>;
  list: TraceList;
  choice: ColumnChoice;
  onChoice: (choice: ColumnChoice) => void;
  onRun: (filter: string) => void;
  isSidebarOpen: boolean;
  onSidebar: () => void;
}

export function Controls(props: ControlsProps) {
  const { view, bounds, filterField, list, choice, onChoice, onRun, isSidebarOpen } = props;
  return (
    <div className={styles.controls}>
      <div className={styles.line}>
        <ExperimentChoice
          experimentIds={view.experimentIds}
          hrefOf={(experimentIds) => buildTracesUrl({ ...view, experimentIds })}
        />
        <FilterBar
          draftName="whence.draft"
          handle={filterField}
          filter={view.filter}
          experimentIds={view.experimentIds}
          error={list.query.error}
          onRun={onRun}
        />
      </div>
      <div className={styles.line}>
        <button
          type="button"
          className="quiet-button"
          aria-pressed={isSidebarOpen}
          onClick={props.onSidebar}
          title="Show or hide the fields (f)"
        >
          <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
            <g fill="none" stroke="currentColor" strokeWidth="1.4">
              <rect x="1.7" y="2.7" width="12.6" height="10.6" rx="1.8" />
              <path d="M6.3 3v10" />
            </g>
          </svg>
          Fields
        </button>
        <TimeMenu
          time={view.time}
          bounds={bounds}
          hrefOf={(time) =>
            buildTracesUrl({ ...view, time, isLive: view.isLive && time.kind !== "between" })
          }
        />
        {view.time.kind === "between" ? (
          <Link href={buildTracesUrl({ ...view, time: ALL_TIME })} className={styles.back}>
            Back to all time
          </Link>
        ) : null}
        <LiveSwitch view={view} list={list} />
        <Link
          href={buildTracesUrl({ ...view, isGrouped: !view.isGrouped })}
          className="quiet-button"
          aria-current={view.isGrouped ? "true" : undefined}
          title="Group the listed traces by session"
        >
          By session
        </Link>
        <ViewsMenu view={view} />
        <span className={styles.gap} />
        <Count list={list} />
        <CopyMenu view={view} bounds={bounds} />
        <ColumnsMenu choice={choice} experimentIds={view.experimentIds} onChange={onChoice} />
      </div>
    </div>
  );
}

function LiveSwitch({ view, list }: { view: TracesView; list: TraceList }) {
  const { status, perSecond } = list.live;
  const said =
    status === "connected"
      ? `Live · ${perSecond.toFixed(1)}/s`
      : status === "lost"
        ? "Live: reconnecting…"
        : status === "connecting"
          ? "Live: connecting…"
          : "Live";
  const time = view.time.kind === "between" ? ALL_TIME : view.time;
  const next = view.isLive ? { ...view, isLive: false } : { ...view, time, isLive: true };
  return (
    <Link
      href={buildTracesUrl(next)}
      className={`quiet-button ${styles.live}`}
      aria-current={view.isLive ? "true" : undefined}
      data-status={status}
      title={view.isLive ? "Stop the live tail (v)" : "Show new traces as they arrive (v)"}
    >
      <i aria-hidden="true" />
      {said}
    </Link>
  );
}

/** How many are shown of how many, and how long the server took. */
function Count({ list }: { list: TraceList }) {
  const { query, traces, total } = list;
  const { data, hasNextPage, isFetching, isPlaceholderData } = query;
  const elapsed = data?.pages.at(-1)?.elapsed_ms;
  let count: string | null = null;
  if (data !== undefined && !isPlaceholderData) {
    const of =
      total === null
        ? ", more available"
        : ` of ${total.isSampled ? "about " : ""}${formatCount(Math.max(total.count, traces.length))}`;
    count = hasNextPage
      ? `showing ${formatCount(traces.length)}${of}`
      : formatNumberOf(traces.length, "trace");
  }
  const time = elapsed === undefined ? null : `${elapsed.toFixed(0)} ms`;
  return (
    <p className={styles.count} role="status">
      {count}
      <span>{isFetching ? "asking…" : time}</span>
    </p>
  );
}
