/** The merged tree: a row for each path, A's bar over B's bar on one axis of time. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { type MouseEvent, useEffect, useRef } from "react";

import type { Span, SpanDiff } from "../../api/types";
import { SpanSign } from "../../components/SpanSign";
import { formatCount, formatDuration, formatTick } from "../../model/format";
import { type MergedNode, type MergedTree, timesIn } from "../../model/mergedTree";
import { listTicks, placeBar, WHOLE } from "../../model/timeline";
import { useMedia } from "../../useMedia";
import { Delta } from "./Delta";
import styles from "./MergedRows.module.css";
import { buildDiffUrl, type DiffView } from "./url";

const ROW_HEIGHT = 34;
const NARROW_ROW_HEIGHT = 56;
const INDENT = 16;
const DEEPEST_INDENT = 16;
const MOST_TICKS = 5;

const MARKS: Readonly<Record<string, readonly [string, string]>> = {
  same: ["=", "same"],
  changed: ["~", "changed"],
  "only in baseline": ["−", "removed"],
  "only in candidate": ["+", "added"],
};

interface MergedRowsProps {
  tree: MergedTree;
  rows: readonly MergedNode[];
  selected: number;
  collapsed: ReadonlySet<string>;
  view: DiffView;
  onSelect: (node: MergedNode) => void;
  onToggle: (path: string) => void;
}

export function MergedRows({ tree, rows, selected, collapsed, view, onSelect, onToggle }: MergedRowsProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const isNarrow = useMedia("(max-width: 480px)");
  const height = isNarrow ? NARROW_ROW_HEIGHT : ROW_HEIGHT;
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 12,
  });
  useEffect(() => virtualizer.measure(), [height, virtualizer]);
  useEffect(() => {
    if (selected >= 0) virtualizer.scrollToIndex(selected, { align: "auto" });
  }, [selected, virtualizer]);
  return (
    <div ref={scroller} className={styles.scroller}>
      <div className={styles.axis} aria-hidden="true">
        <div>Span</div>
        <div className={styles.lane}>
          {listTicks(tree.lengthNs, MOST_TICKS).map((tick) => (
            <span
              key={tick}
              style={{ left: `${(tick / tree.lengthNs) * 100}%` }}
              data-turned={tick / tree.lengthNs > 0.9 ? "" : undefined}
            >
              {formatTick(tick)}
            </span>
          ))}
        </div>
        <div className={styles.change}>Change</div>
      </div>
      <div role="tree" aria-label="Spans of both traces" className={styles.rows} style={{ height: virtualizer.getTotalSize() }}>
        {virtualizer.getVirtualItems().map((item) => {
          const node = rows[item.index];
          return node === undefined ? null : (
            <Row
              key={node.diff.path}
              node={node}
              tree={tree}
              isSelected={item.index === selected}
              isCollapsed={collapsed.has(node.diff.path)}
              href={buildDiffUrl({ ...view, path: node.diff.path })}
              top={item.start}
              height={height}
              onSelect={onSelect}
              onToggle={onToggle}
            />
          );
        })}
      </div>
      {rows.length === 0 ? <p className={styles.none}>The traces do not differ but in their times.</p> : null}
    </div>
  );
}

interface RowProps {
  node: MergedNode;
  tree: MergedTree;
  isSelected: boolean;
  isCollapsed: boolean;
  href: string;
  top: number;
  height: number;
  onSelect: (node: MergedNode) => void;
  onToggle: (path: string) => void;
}

function Row({ node, tree, isSelected, isCollapsed, href, top, height, onSelect, onToggle }: RowProps) {
  const { diff, children, changesBelow } = node;
  const [sign, look] = MARKS[diff.change] ?? ["?", "same"];
  const select = (event: MouseEvent): void => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    onSelect(node);
  };
  const spanType = (diff.candidate ?? diff.baseline)?.span_type ?? "UNKNOWN";
  const indent = Math.min(diff.depth, DEEPEST_INDENT) * INDENT;
  return (
    <div
      role="treeitem"
      aria-level={diff.depth + 1}
      aria-selected={isSelected}
      {...(children.length > 0 ? { "aria-expanded": !isCollapsed } : {})}
      className={`${styles.row} ${isSelected ? styles.selected : ""}`}
      data-look={look}
      style={{ transform: `translateY(${top}px)`, height }}
    >
      <div className={styles.name} style={{ paddingLeft: indent + 8 }}>
        {children.length === 0 ? (
          <span className={styles.twisty} />
        ) : (
          <button
            type="button"
            tabIndex={-1}
            className={styles.twisty}
            aria-label={isCollapsed ? "Expand" : "Collapse"}
            onClick={() => onToggle(diff.path)}
          >
            <svg viewBox="0 0 10 10" width="10" height="10" aria-hidden="true">
              <path d={isCollapsed ? "M3.5 2l3 3-3 3" : "M2 3.5l3 3 3-3"} />
            </svg>
          </button>
        )}
        <span className={styles.mark} role="img" aria-label={describeChange(diff)} title={describeChange(diff)}>
          {sign}
        </span>
        <SpanSign spanType={spanType} />
        <a href={href} className={styles.link} title={diff.path} onClick={select} tabIndex={isSelected ? 0 : -1}>
          <bdi>{diff.name}</bdi>
        </a>
        {changesBelow > 0 && isCollapsed ? (
          <span className={styles.below}>{formatCount(changesBelow)} below</span>
        ) : null}
      </div>
      <div className={styles.lane}>
        <SideBar letter="A" span={node.baseline} startNs={tree.baselineStartNs} lengthNs={tree.lengthNs} />
        <SideBar letter="B" span={node.candidate} startNs={tree.candidateStartNs} lengthNs={tree.lengthNs} />
      </div>
      <div className={styles.change}>
        {diff.baseline !== null && diff.candidate !== null ? (
          <Delta before={diff.baseline.duration_ms} after={diff.candidate.duration_ms} />
        ) : (
          <span data-look={look}>{diff.baseline === null ? "only in B" : "only in A"}</span>
        )}
      </div>
    </div>
  );
}

export function describeChange(diff: SpanDiff): string {
  if (diff.change === "only in baseline") return "only in A";
  if (diff.change === "only in candidate") return "only in B";
  if (diff.change === "same") return "the same but for its times";
  const { baseline, candidate } = diff;
  const what = diff.texts.map((text) => text.what);
  if (baseline?.status !== candidate?.status) what.unshift("status");
  if (baseline?.model !== candidate?.model) what.push("model");
  if (diff.attributes.length > 0) what.push("attributes");
  return `changed: ${[...new Set(what)].join(", ")}`;
}

interface SideBarProps {
  letter: "A" | "B";
  span: Span | null;
  startNs: bigint;
  lengthNs: number;
}

function SideBar({ letter, span, startNs, lengthNs }: SideBarProps) {
  if (span === null) return null;
  const { start, end } = timesIn(span, startNs);
  const bar = placeBar(start, end, lengthNs, WHOLE);
  const isLate = bar.left + bar.width > 0.8;
  const duration = span.end_time_ns === null ? "running" : formatDuration(end - start);
  return (
    <>
      <span
        className={styles.bar}
        data-side={letter}
        data-failed={span.status === "ERROR" ? "" : undefined}
        style={{ left: `${bar.left * 100}%`, width: `${bar.width * 100}%` }}
      />
      <span
        className={styles.label}
        data-side={letter}
        style={
          isLate && bar.left > 0.2
            ? { right: `${(1 - bar.left) * 100}%` }
            : isLate
              ? { right: 0 }
              : { left: `${(bar.left + bar.width) * 100}%` }
        }
        data-inside={isLate && bar.left <= 0.2 ? "" : undefined}
      >
        {letter} {duration}
      </span>
    </>
  );
}
