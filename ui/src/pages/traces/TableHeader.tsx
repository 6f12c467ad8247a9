/** The list's heading: a click on a title sorts, its right edge resizes. */

import { type KeyboardEvent, memo, type PointerEvent, useRef } from "react";

import { type ColumnChoice, resetWidth, resizeColumn } from "../../model/columns";
import { nextOrder, sortDirection } from "../../model/order";
import { Link } from "../../router";
import type { Column } from "./columns";
import styles from "./TraceTable.module.css";
import { buildTracesUrl, type TracesView } from "./url";

const STEP_PX = 16;

interface HeaderProps {
  view: TracesView;
  columns: readonly Column[];
  tracks: string;
  choice: ColumnChoice;
  onChoice: (choice: ColumnChoice) => void;
  selected: ReadonlySet<string>;
  onSelectAll: (() => void) | null;
}

export const Header = memo(function Header(props: HeaderProps) {
  const { view, columns, tracks, choice, onChoice, selected, onSelectAll } = props;
  return (
    <div role="row" aria-rowindex={1} className={styles.head} style={{ gridTemplateColumns: tracks }}>
      <div role="columnheader" className={styles.mark}>
        <input
          type="checkbox"
          aria-label="Select every trace that is listed"
          checked={onSelectAll === null}
          ref={(box) => {
            if (box !== null) box.indeterminate = onSelectAll !== null && selected.size > 0;
          }}
          onChange={() => onSelectAll?.()}
        />
      </div>
      {columns.map((column) => (
        <Title
          key={column.id}
          column={column}
          view={view}
          onResize={(px) => onChoice(resizeColumn(choice, column.id, px))}
          onReset={() => onChoice(resetWidth(choice, column.id))}
        />
      ))}
    </div>
  );
});

interface TitleProps {
  column: Column;
  view: TracesView;
  onResize: (px: number) => void;
  onReset: () => void;
}

function Title({ column, view, onResize, onReset }: TitleProps) {
  const cell = useRef<HTMLDivElement>(null);
  const grip = useRef<{ x: number; width: number } | null>(null);
  const direction = sortDirection(view.orderBy, column.sortField);
  const widthNow = (): number => cell.current?.getBoundingClientRect().width ?? column.width;
  const press = (event: KeyboardEvent): void => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    event.stopPropagation();
    onResize(widthNow() + by * STEP_PX);
  };
  const move = (event: PointerEvent): void => {
    if (grip.current !== null) onResize(grip.current.width + event.clientX - grip.current.x);
  };
  const title =
    column.sortField === undefined ? (
      <span>{column.title}</span>
    ) : (
      <Link
        href={buildTracesUrl({ ...view, orderBy: nextOrder(view.orderBy, column.sortField) })}
        title={`Sort by ${column.title.toLowerCase()}`}
      >
        <span>{column.title}</span>
        {direction === null ? null : <i aria-hidden="true">{direction === "ASC" ? "↑" : "↓"}</i>}
      </Link>
    );
  return (
    <div
      ref={cell}
      role="columnheader"
      className={column.isNumber === true ? styles.number : undefined}
      {...(direction === null
        ? {}
        : { "aria-sort": direction === "ASC" ? "ascending" : "descending" })}
    >
      {title}
      <span
        role="separator"
        aria-orientation="vertical"
        aria-label={`Width of ${column.title}`}
        aria-valuenow={column.width}
        tabIndex={0}
        className={styles.grip}
        title="Drag to resize, double-click for the default"
        onKeyDown={press}
        onDoubleClick={onReset}
        onPointerDown={(event) => {
          event.preventDefault();
          event.currentTarget.setPointerCapture(event.pointerId);
          grip.current = { x: event.clientX, width: widthNow() };
        }}
        onPointerMove={move}
        onPointerUp={() => {
          grip.current = null;
        }}
      />
    </div>
  );
}
