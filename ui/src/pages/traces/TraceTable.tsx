/** The list of traces: only the rows in sight are in the page. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useRef } from "react";

import type { TraceInfo } from "../../api/types";
import { nextOrder, sortDirection } from "../../model/order";
import { Link } from "../../router";
import { buildTraceUrl } from "../trace/url";
import { COLUMNS, type Column, GRID_COLUMNS } from "./columns";
import styles from "./TraceTable.module.css";
import { buildTracesUrl, type TracesView } from "./url";

const ROW_HEIGHT = 32;

/** Where each list was scrolled to, so that "back" comes back to the same row. */
const offsets = new Map<string, number>();

interface TraceTableProps {
  view: TracesView;
  traces: readonly TraceInfo[];
  active: number | null;
  isStale: boolean;
  nowMs: number;
  footer: ReactNode;
}

export function TraceTable({ view, traces, active, isStale, nowMs, footer }: TraceTableProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const key = buildTracesUrl(view);
  const virtualizer = useVirtualizer({
    count: traces.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
    initialOffset: offsets.get(key) ?? 0,
  });
  useEffect(() => {
    if (active === null) return;
    virtualizer.scrollToIndex(active, { align: "auto" });
  }, [active, virtualizer]);

  return (
    <div
      ref={scroller}
      className={styles.scroller}
      onScroll={(event) => offsets.set(key, event.currentTarget.scrollTop)}
    >
      <div
        role="table"
        aria-label="Traces"
        aria-rowcount={traces.length + 1}
        aria-busy={isStale}
        className={`${styles.table} ${isStale ? styles.stale : ""}`}
      >
        <div role="row" className={styles.head} style={{ gridTemplateColumns: GRID_COLUMNS }}>
          {COLUMNS.map((column) => (
            <Header key={column.id} column={column} view={view} />
          ))}
        </div>
        <div
          role="rowgroup"
          className={styles.rows}
          style={{ height: virtualizer.getTotalSize() }}
        >
          {virtualizer.getVirtualItems().map((item) => {
            const info = traces[item.index];
            return info === undefined ? null : (
              <Row
                key={info.trace_id}
                info={info}
                index={item.index}
                top={item.start}
                isActive={item.index === active}
                nowMs={nowMs}
              />
            );
          })}
        </div>
      </div>
      {footer}
    </div>
  );
}

function Header({ column, view }: { column: Column; view: TracesView }) {
  const direction = sortDirection(view.orderBy, column.sortField);
  const title =
    column.sortField === undefined ? (
      column.title
    ) : (
      <Link
        href={buildTracesUrl({ ...view, orderBy: nextOrder(view.orderBy, column.sortField) })}
        title={`Sort by ${column.title.toLowerCase()}`}
      >
        {column.title}
        {direction === null ? null : <span aria-hidden="true">{direction === "ASC" ? "↑" : "↓"}</span>}
      </Link>
    );
  return (
    <div
      role="columnheader"
      className={column.isNumber === true ? styles.number : undefined}
      {...(direction === null
        ? {}
        : { "aria-sort": direction === "ASC" ? "ascending" : "descending" })}
    >
      {title}
    </div>
  );
}

interface RowProps {
  info: TraceInfo;
  index: number;
  top: number;
  isActive: boolean;
  nowMs: number;
}

function Row({ info, index, top, isActive, nowMs }: RowProps) {
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      className={`${styles.row} ${isActive ? styles.active : ""}`}
      style={{ gridTemplateColumns: GRID_COLUMNS, transform: `translateY(${top}px)` }}
    >
      {COLUMNS.map((column) => {
        const shown = column.show(info, nowMs);
        return (
          <div
            key={column.id}
            role="cell"
            className={`${styles[column.id] ?? ""} ${column.isNumber === true ? styles.number : ""}`}
            title={column.tooltip?.(info, nowMs) ?? undefined}
          >
            {column.id === "name" ? (
              <Link href={buildTraceUrl({ traceId: info.trace_id })}>{shown}</Link>
            ) : (
              shown
            )}
          </div>
        );
      })}
    </div>
  );
}
