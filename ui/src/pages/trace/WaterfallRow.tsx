/** One row: the span's name on the left, its bar on the right. */

import { memo, type MouseEvent } from "react";

import type { Span } from "../../api/types";
import { SpanSign } from "../../components/SpanSign";
import { formatCount, formatDuration, formatNumberOf, nameSpan } from "../../model/format";
import { joinStretches, type Stretch } from "../../model/ownTime";
import { listPinned, writePill } from "../../model/pinned";
import { isFailed, type SpanNode } from "../../model/spanTree";
import { lookOf } from "../../model/spanTypes";
import { placeBar, type Sight, type Times } from "../../model/timeline";
import styles from "./Waterfall.module.css";

const INDENT = 16;
const DEEPEST_INDENT = 16;
/** A bar that ends beyond this part of the lane has its label on its left. */
const LABEL_TURN = 0.82;
/** … unless less than this part of the lane is free there: then it stands on the bar. */
const LEAST_ROOM = 0.45;
/** Stretches closer together than this part of the lane are drawn as one. */
const LEAST_GAP = 1 / 2000;

export type Emphasis = "none" | "self" | "critical";

export interface RowProps {
  /** Which element of the list this is; its node changes while the list is scrolled. */
  slot: number;
  node: SpanNode;
  depth: number;
  isCollapsed: boolean;
  isSelected: boolean;
  isFocusable: boolean;
  /** Neither found nor what the filter is about. */
  isDimmed: boolean;
  isFound: boolean;
  times: Times | undefined;
  lengthNs: number;
  sight: Sight;
  emphasis: Emphasis;
  /** The attributes whose values stand on the bar. */
  pinned: readonly string[];
  stretches: readonly Stretch[];
  top: number;
  height: number;
  href: string;
  onSelect: (spanId: string) => void;
  onToggle: (key: string) => void;
  onFit: (node: SpanNode) => void;
}

export const WaterfallRow = memo(function WaterfallRow(props: RowProps) {
  const { node, depth, isCollapsed, isSelected, isDimmed, isFound, top, height } = props;
  const looks = [
    styles.row,
    isSelected ? styles.selected : "",
    isDimmed ? styles.dimmed : "",
    isFound ? styles.found : "",
  ];
  const indent = Math.min(depth, DEEPEST_INDENT) * INDENT;
  return (
    <div
      role="treeitem"
      aria-level={depth + 1}
      aria-selected={isSelected}
      tabIndex={-1}
      {...(node.children.length > 0 ? { "aria-expanded": !isCollapsed } : {})}
      data-slot={props.slot}
      className={looks.join(" ")}
      style={{ top, height }}
      onDoubleClick={() => props.onFit(node)}
    >
      <div className={styles.name} style={{ paddingLeft: indent + 8 }}>
        {indent === 0 ? null : <span className={styles.guides} style={{ width: indent }} />}
        <Twisty {...props} />
        {depth > DEEPEST_INDENT ? <span className={styles.depth}>{depth}</span> : null}
        <Name {...props} />
        {node.children.length === 0 ? null : <ChildCount {...props} />}
        {node.errorBelow ? (
          <span className={styles.errorBelow} role="img" aria-label="A span below has failed" title="A span below has failed" />
        ) : null}
      </div>
      <div className={styles.lane}>
        {node.span === null || props.times === undefined ? null : (
          <SpanBar {...props} span={node.span} times={props.times} />
        )}
      </div>
    </div>
  );
});

function ChildCount({ node, isCollapsed }: RowProps) {
  const below = formatNumberOf(node.descendantCount, "span");
  return (
    <span
      className={isCollapsed ? styles.hidden : styles.children}
      title={`${formatNumberOf(node.children.length, "child").replace("childs", "children")}, ${below} below`}
    >
      {formatCount(isCollapsed ? node.descendantCount : node.children.length)}
    </span>
  );
}

function Twisty({ node, isCollapsed, onToggle }: RowProps) {
  if (node.children.length === 0) return <span className={styles.twisty} />;
  return (
    <button
      type="button"
      tabIndex={-1}
      className={styles.twisty}
      aria-label={isCollapsed ? "Expand" : "Collapse"}
      onClick={() => onToggle(node.key)}
      onDoubleClick={(event) => event.stopPropagation()}
    >
      <svg viewBox="0 0 10 10" width="10" height="10" aria-hidden="true">
        <path d={isCollapsed ? "M3.5 2l3 3-3 3" : "M2 3.5l3 3 3-3"} />
      </svg>
    </button>
  );
}

function Name({ node, href, isFocusable, onSelect }: RowProps) {
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
      <a
        href={href}
        onClick={select}
        className={styles.link}
        title={span.name}
        draggable={false}
        tabIndex={isFocusable ? 0 : -1}
      >
        <bdi>{nameSpan(span.name)}</bdi>
      </a>
      {isFailed(span) ? (
        <span className={styles.failed} title={span.status_message || "Failed"}>
          error
        </span>
      ) : null}
    </>
  );
}

interface BarProps extends RowProps {
  span: Span;
  times: Times;
}

function SpanBar({ span, times, lengthNs, sight, emphasis, stretches, pinned }: BarProps) {
  const bar = placeBar(times.start, times.end, lengthNs, sight);
  const colour = isFailed(span) ? "var(--error)" : lookOf(span.span_type).colour;
  if (bar.isOut) {
    return <span className={bar.left > 0 ? styles.after : styles.before} style={{ color: colour }} />;
  }
  const least = (sight.to - sight.from) * lengthNs * LEAST_GAP;
  const marked = emphasis === "none" ? [] : joinStretches(stretches, least);
  return (
    <>
      <span
        className={`${styles.bar} ${times.isOpen ? styles.open : ""} ${emphasis === "self" ? styles.pale : ""}`}
        style={{ left: percent(bar.left), width: percent(bar.width), background: colour }}
      />
      {marked.map(([from, to]) => {
        const piece = placeBar(from, to, lengthNs, sight);
        return piece.isOut ? null : (
          <span
            key={from}
            className={emphasis === "self" ? styles.self : styles.critical}
            style={{
              left: percent(piece.left),
              width: percent(piece.width),
              ...(emphasis === "self" ? { background: colour } : {}),
            }}
          />
        );
      })}
      <BarLabel
        span={span}
        times={times}
        pinned={pinned}
        left={bar.left}
        right={bar.left + bar.width}
      />
    </>
  );
}

interface LabelProps {
  span: Span;
  times: Times;
  pinned: readonly string[];
  left: number;
  right: number;
}

function BarLabel({ span, times, pinned, left, right }: LabelProps) {
  const label = times.isOpen ? "running" : formatDuration(times.end - times.start);
  const isTurned = right > LABEL_TURN;
  const isInside = isTurned && left < LEAST_ROOM;
  const side = isTurned ? { right: percent(1 - left) } : { left: percent(right) };
  return (
    <span
      className={`${styles.label} ${isInside ? styles.inside : ""}`}
      style={isInside ? { right: 0 } : side}
    >
      {label}
      {listPills(span).map((pill) => (
        <span key={pill}>{pill}</span>
      ))}
      {listPinned(span, pinned).map(([key, value]) => (
        <bdi key={key} className={styles.pinned} title={key}>
          {writePill(value)}
        </bdi>
      ))}
    </span>
  );
}

/** What one wants to know of a span without opening it. */
function listPills(span: Span): string[] {
  const tokens = span.usage?.["total_tokens"];
  const status = span.attributes["http.response.status_code"] ?? span.attributes["http.status_code"];
  return [
    span.model,
    tokens === undefined ? null : `${formatCount(tokens)} tok`,
    status === undefined ? null : `HTTP ${String(status).slice(0, 3)}`,
  ].filter((part) => part !== null);
}

function percent(part: number): string {
  return `${part * 100}%`;
}
