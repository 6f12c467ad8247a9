/** The tree and the bars in one list; only the rows in sight are in the page. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { type MouseEvent, useEffect, useRef } from "react";

import type { Span } from "../../api/types";
import { SpanSign } from "../../components/SpanSign";
import { formatCount, formatDuration } from "../../model/format";
import { isFailed, type SpanNode, type SpanRow } from "../../model/spanTree";
import { lookOf } from "../../model/spanTypes";
import { type Extent, listTicks, placeBar } from "../../model/timeline";
import { Link } from "../../router";
import styles from "./Waterfall.module.css";

const ROW_HEIGHT = 28;
const INDENT = 16;
const DEEPEST_INDENT = 16;
const MOST_TICKS = 5;
/** A bar that ends beyond this part of the axis has its label on its left. */
const LABEL_TURN = 0.82;
/** … unless less than this part of the axis is free there: then it stands on the bar. */
const LEAST_ROOM = 0.45;

interface WaterfallProps {
  rows: readonly SpanRow[];
  extent: Extent;
  /** Index of the selected row, or -1. */
  selected: number;
  hrefOf: (spanId: string) => string;
  onSelect: (spanId: string) => void;
  onToggle: (key: string) => void;
}

export function Waterfall({ rows, extent, selected, hrefOf, onSelect, onToggle }: WaterfallProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 16,
  });
  useEffect(() => {
    if (selected >= 0) virtualizer.scrollToIndex(selected, { align: "auto" });
  }, [selected, virtualizer]);
  const ticks = listTicks(extent.lengthNs, MOST_TICKS);

  return (
    <div ref={scroller} className={styles.scroller}>
      <div className={styles.axis} aria-hidden="true">
        <div>Span</div>
        <div className={styles.lane}>
          {ticks.map((tick) => (
            <span key={tick} style={{ left: `${(tick / extent.lengthNs) * 100}%` }}>
              {formatDuration(tick)}
            </span>
          ))}
        </div>
      </div>
      <div
        role="tree"
        aria-label="Spans"
        className={styles.rows}
        style={{ height: virtualizer.getTotalSize() }}
      >
        {virtualizer.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (row === undefined) return null;
          const { node, depth, isCollapsed } = row;
          return (
            <div
              key={node.key}
              role="treeitem"
              aria-level={depth + 1}
              aria-selected={item.index === selected}
              {...(node.children.length > 0 ? { "aria-expanded": !isCollapsed } : {})}
              className={`${styles.row} ${item.index === selected ? styles.selected : ""}`}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <div
                className={styles.name}
                style={{ paddingLeft: Math.min(depth, DEEPEST_INDENT) * INDENT + 8 }}
              >
                <Twisty row={row} onToggle={onToggle} />
                {depth > DEEPEST_INDENT ? <span className={styles.depth}>{depth}</span> : null}
                <Name node={node} href={hrefOf(node.spanId)} onSelect={onSelect} />
                {isCollapsed ? (
                  <span className={styles.hidden}>{formatCount(node.descendantCount)}</span>
                ) : null}
                {isCollapsed && node.errorBelow ? (
                  <span className={styles.errorBelow} title="A span below has failed" />
                ) : null}
              </div>
              <div className={styles.lane}>
                {node.span === null ? null : <SpanBar span={node.span} extent={extent} />}
              </div>
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Twisty({ row, onToggle }: { row: SpanRow; onToggle: (key: string) => void }) {
  const { node, isCollapsed } = row;
  if (node.children.length === 0) return <span className={styles.twisty} />;
  return (
    <button
      type="button"
      tabIndex={-1}
      className={styles.twisty}
      aria-label={isCollapsed ? "Expand" : "Collapse"}
      onClick={() => onToggle(node.key)}
    >
      <svg viewBox="0 0 10 10" width="10" height="10" aria-hidden="true">
        <path d={isCollapsed ? "M3.5 2l3 3-3 3" : "M2 3.5l3 3 3-3"} />
      </svg>
    </button>
  );
}

interface NameProps {
  node: SpanNode;
  href: string;
  onSelect: (spanId: string) => void;
}

function Name({ node, href, onSelect }: NameProps) {
  const { span } = node;
  if (span === null) {
    return (
      <span className={styles.absent} title="Its children arrived; the span itself did not">
        span {node.spanId} was not recorded
      </span>
    );
  }
  const select = (event: MouseEvent): void => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    onSelect(span.span_id);
  };
  return (
    <>
      <SpanSign spanType={span.span_type} />
      <Link href={href} onClick={select} className={styles.link} title={span.name}>
        {span.name}
      </Link>
      {isFailed(span) ? (
        <span className={styles.failed} title={span.status_message || "Failed"}>
          error
        </span>
      ) : null}
    </>
  );
}

function SpanBar({ span, extent }: { span: Span; extent: Extent }) {
  const bar = placeBar(span, extent);
  const colour = isFailed(span) ? "var(--error)" : lookOf(span.span_type).colour;
  const tokens = span.usage?.["total_tokens"];
  const details = [span.model, tokens === undefined ? null : `${formatCount(tokens)} tok`]
    .filter((part) => part !== null)
    .join(" · ");
  const label = bar.durationNs === null ? "running" : formatDuration(bar.durationNs);
  const isTurned = bar.left + bar.width > LABEL_TURN;
  const side = isTurned
    ? { right: `${(1 - bar.left) * 100}%` }
    : { left: `${(bar.left + bar.width) * 100}%` };
  const isInside = isTurned && bar.left < LEAST_ROOM;
  return (
    <>
      <span
        className={`${styles.bar} ${bar.durationNs === null ? styles.open : ""}`}
        style={{ left: `${bar.left * 100}%`, width: `${bar.width * 100}%`, background: colour }}
      />
      <span
        className={`${styles.label} ${isInside ? styles.inside : ""}`}
        style={isInside ? { right: 0 } : side}
      >
        {label}
        {details === "" ? null : <span>{details}</span>}
      </span>
    </>
  );
}
