/** The list of traces: only the rows in sight are in the page. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, type MouseEvent, type ReactNode, useCallback, useEffect, useMemo, useRef } from "react";

import type { TraceInfo } from "../../api/types";
import { Isolated } from "../../components/Isolated";
import { useSlots } from "../../components/useSlots";
import type { ColumnChoice } from "../../model/columns";
import { formatCount, formatNumberOf, formatTime } from "../../model/format";
import type { ListRow, SessionGroup } from "../../model/sessions";
import { addCondition, equals } from "../../model/filter";
import { Link } from "../../router";
import { buildTraceUrl } from "../trace/url";
import { type Column, layOut } from "./columns";
import { Header } from "./TableHeader";
import styles from "./TraceTable.module.css";
import { buildGroupsUrl } from "../sessions/url";
import { buildTracesUrl, type TracesView } from "./url";

const ROW_HEIGHT = 32;
/** Rows beyond the edges: what one notch of a wheel brings in. */
const OVERSCAN = 4;
const LOAD_AHEAD = 15;

/** Where each list was scrolled to, so that "back" comes back to the same row. */
const offsets = new Map<string, number>();

interface TraceTableProps {
  view: TracesView;
  rows: readonly ListRow[];
  choice: ColumnChoice;
  onChoice: (choice: ColumnChoice) => void;
  /** The index of the row that the keyboard is at. */
  active: number | null;
  selected: ReadonlySet<string>;
  onSelect: (traceId: string, isRange: boolean) => void;
  onSelectAll: (() => void) | null;
  /** Rows that came with the live tail. */
  fresh: ReadonlySet<string>;
  isStale: boolean;
  nowMs: number;
  onNearEnd: () => void;
  /** The reader looks at rows: they must not move. */
  onHold: (isHeld: boolean) => void;
  footer: ReactNode;
}

export function TraceTable(props: TraceTableProps) {
  const { view, rows, choice, active, isStale, onNearEnd, onHold } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const isOver = useRef(false);
  const key = buildTracesUrl(view);
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    // One function for one list, or every scroll event would measure all rows anew.
    getItemKey: useCallback((index: number) => keyOf(rows[index], index), [rows]),
    overscan: OVERSCAN,
    // React works between two frames, not inside one: each stays short while the list flies by.
    useFlushSync: false,
    initialOffset: offsets.get(key) ?? 0,
  });
  useEffect(() => {
    if (active === null) return;
    virtualizer.scrollToIndex(active, { align: "auto" });
  }, [active, virtualizer]);
  const items = virtualizer.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= rows.length - LOAD_AHEAD) onNearEnd();
  }, [last, rows.length, onNearEnd]);

  const slots = useSlots(items.map(({ key: row }) => row), scroller);
  const { columns, tracks, leastPx } = useMemo(() => layOut(choice), [choice]);
  const hold = (): void => onHold(isOver.current || (scroller.current?.scrollTop ?? 0) > 0);
  return (
    <div
      ref={scroller}
      className={styles.scroller}
      // The focus makes the list scroll by the keyboard alone.
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      aria-label="Traces, scrolling"
      role="region"
      onScroll={(event) => {
        offsets.set(key, event.currentTarget.scrollTop);
        hold();
      }}
    >
      <div
        role="table"
        aria-label="Traces"
        aria-rowcount={rows.length + 1}
        aria-busy={isStale}
        className={`${styles.table} ${isStale ? styles.stale : ""}`}
        style={{ minWidth: leastPx }}
      >
        <div role="rowgroup" className={styles.headGroup}>
          <Header
            view={view}
            columns={columns}
            tracks={tracks}
            choice={choice}
            onChoice={props.onChoice}
            selected={props.selected}
            onSelectAll={props.onSelectAll}
          />
        </div>
        <div
          role="rowgroup"
          className={styles.rows}
          style={{ height: virtualizer.getTotalSize() }}
          onPointerEnter={() => {
            isOver.current = true;
            hold();
          }}
          onPointerLeave={() => {
            isOver.current = false;
            hold();
          }}
        >
          {items.map((item) => {
            const row = rows[item.index];
            if (row === undefined) return null;
            const slot = slots.get(item.key) ?? -1;
            const place = { index: item.index, top: item.start, slot };
            return row.kind === "session" ? (
              <SessionRow key={slot} group={row.group} view={view} {...place} />
            ) : (
              <Row
                key={slot}
                info={row.info}
                columns={columns}
                tracks={tracks}
                isActive={item.index === active}
                isSelected={props.selected.has(row.info.trace_id)}
                isFresh={props.fresh.has(row.info.trace_id)}
                onSelect={props.onSelect}
                nowMs={props.nowMs}
                {...place}
              />
            );
          })}
        </div>
      </div>
      {props.footer}
    </div>
  );
}

function keyOf(row: ListRow | undefined, index: number): string | number {
  if (row === undefined) return index;
  if (row.kind === "trace") return row.info.trace_id;
  return row.group.session === null ? "session" : `session ${row.group.session}`;
}

interface RowProps {
  info: TraceInfo;
  columns: readonly Column[];
  tracks: string;
  index: number;
  top: number;
  slot: number;
  isActive: boolean;
  isSelected: boolean;
  isFresh: boolean;
  onSelect: (traceId: string, isRange: boolean) => void;
  nowMs: number;
}

const Row = memo(function Row(props: RowProps) {
  const { info, columns, tracks, index, top, slot, isActive, isSelected, isFresh, nowMs } = props;
  const linked = columns.some(({ id }) => id === "name") ? "name" : columns[0]?.id;
  const looks = [
    styles.row,
    isActive ? styles.active : "",
    isSelected ? styles.selected : "",
    isFresh ? styles.fresh : "",
  ];
  const select = (event: MouseEvent<HTMLInputElement>): void =>
    props.onSelect(info.trace_id, event.shiftKey);
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      data-slot={slot}
      className={looks.join(" ")}
      style={{ gridTemplateColumns: tracks, top }}
    >
      <div role="cell" className={styles.mark}>
        <input
          type="checkbox"
          tabIndex={-1}
          checked={isSelected}
          aria-label={`Select ${info.name ?? info.trace_id}`}
          onClick={select}
          onChange={() => undefined}
        />
      </div>
      {columns.map((column) => {
        const found = column.show(info, nowMs);
        const shown = typeof found === "string" ? <Isolated>{found}</Isolated> : found;
        const soft = column.isSoft === true ? styles.soft : "";
        const number = column.isNumber === true ? styles.number : "";
        return (
          <div
            key={column.id}
            role="cell"
            className={`${soft} ${number}`}
            title={column.tooltip?.(info, nowMs) ?? undefined}
          >
            {column.id === linked ? (
              <Link href={buildTraceUrl({ traceId: info.trace_id })}>{shown}</Link>
            ) : (
              shown
            )}
          </div>
        );
      })}
    </div>
  );
});

interface SessionRowProps {
  group: SessionGroup;
  view: TracesView;
  index: number;
  top: number;
  slot: number;
}

/** A session's heading over those of its traces that are in the list. */
function SessionRow({ group, view, index, top, slot }: SessionRowProps) {
  const { session, traces, firstMs, lastMs, errors, tokens } = group;
  const condition = session === null ? "session IS NULL" : equals("session", session);
  const name = session ?? "No session";
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      data-slot={slot}
      className={`${styles.row} ${styles.session}`}
      style={{ top }}
    >
      <div role="cell">
        {condition === null ? (
          <bdi>{name}</bdi>
        ) : (
          <Link
            href={buildTracesUrl({
              ...view,
              isGrouped: false,
              filter: addCondition(view.filter, condition),
            })}
            title="All traces of this session"
          >
            <bdi>{name}</bdi>
          </Link>
        )}
        <span>
          {formatNumberOf(traces.length, "trace")} listed, {formatTime(firstMs, lastMs)}
          {lastMs > firstMs ? ` – ${formatTime(lastMs, lastMs)}` : ""}
          {tokens === null ? "" : `, ${formatCount(tokens)} tokens`}
        </span>
        {errors === 0 ? null : (
          <span className={styles.failed}>{formatNumberOf(errors, "error")}</span>
        )}
        {session === null ? null : (
          <Link
            className={styles.conversation}
            href={buildGroupsUrl({
              by: "session",
              name: session,
              experimentIds: view.experimentIds,
            })}
          >
            Conversation
          </Link>
        )}
      </div>
    </div>
  );
}
