/** The trace as a log: spans and their events by time; only the lines in sight are in the page. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { type MouseEvent, useCallback, useEffect, useMemo, useRef } from "react";

import { Isolated } from "../../components/Isolated";
import { SpanSign } from "../../components/SpanSign";
import { useSlots } from "../../components/useSlots";
import { formatDuration } from "../../model/format";
import { isFailed, type SpanNode, type SpanRow } from "../../model/spanTree";
import { describeLine, listLog, type LogLine } from "../../model/traceLog";
import styles from "./LogView.module.css";
import type { Shown, Tree } from "./useTree";

const LINE_HEIGHT = 26;
const OVERSCAN = 6;

interface LogViewProps {
  tree: Tree;
  shown: Shown;
  /** The spans by when they began. */
  sorted: readonly SpanRow[];
  selected: SpanNode | null;
  hrefOf: (spanId: string) => string;
  onSelect: (spanId: string) => void;
}

export function LogView({ tree, shown, sorted, selected, hrefOf, onSelect }: LogViewProps) {
  const { times, extent } = tree;
  const lines = useMemo(() => listLog(sorted, times, extent.startNs), [sorted, times, extent]);
  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_HEIGHT,
    getItemKey: useCallback((index: number) => lines[index]?.key ?? index, [lines]),
    overscan: OVERSCAN,
    useFlushSync: false, // as in the list of traces
  });
  const place = selected === null ? -1 : lines.findIndex(({ key }) => key === selected.key);
  useEffect(() => {
    if (place >= 0) virtualizer.scrollToIndex(place, { align: "auto" });
  }, [place, virtualizer]);
  const items = virtualizer.getVirtualItems();
  const slots = useSlots(items.map(({ key }) => key), scroller);
  const { found, fits } = shown;
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls takes the focus
    <div ref={scroller} className={styles.scroller} tabIndex={0} role="region" aria-label="Log">
      <ol className={styles.lines} style={{ height: virtualizer.getTotalSize() }}>
        {items.map((item) => {
          const line = lines[item.index];
          if (line === undefined) return null;
          const { node } = line.row;
          const isDim = (found !== null && !found.has(node)) || (fits !== null && !fits.has(node));
          const looks = [
            styles.line,
            node === selected ? styles.selected : "",
            isDim ? styles.dimmed : "",
          ];
          return (
            <li
              key={slots.get(item.key) ?? -1}
              data-slot={slots.get(item.key)}
              aria-setsize={lines.length}
              aria-posinset={item.index + 1}
              aria-current={node === selected ? "true" : undefined}
              className={looks.join(" ")}
              style={{ top: item.start }}
            >
              <Line line={line} tree={tree} href={hrefOf(node.spanId)} onSelect={onSelect} />
            </li>
          );
        })}
      </ol>
      {lines.length === 0 ? <p className={styles.none}>No span fits the filter</p> : null}
    </div>
  );
}

interface LineProps {
  line: LogLine;
  tree: Tree;
  href: string;
  onSelect: (spanId: string) => void;
}

function Line({ line, tree, href, onSelect }: LineProps) {
  const { node } = line.row;
  const { span } = node;
  if (span === null) return null;
  const times = tree.times.get(node);
  const isBad = line.event === null ? isFailed(span) : line.event.name === "exception";
  const select = (event: MouseEvent): void => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    onSelect(span.span_id);
  };
  const text = describeLine(line);
  return (
    <>
      <code className={styles.at}>+{formatDuration(line.atNs)}</code>
      {line.event === null ? <SpanSign spanType={span.span_type} /> : <i aria-hidden="true">·</i>}
      <a href={href} onClick={select} draggable={false} title={span.name}>
        <Isolated>{line.event === null ? span.name : `${span.name}: ${line.event.name}`}</Isolated>
      </a>
      <span className={styles.took}>
        {line.event !== null || times === undefined
          ? null
          : times.isOpen
            ? "running"
            : formatDuration(times.end - times.start)}
      </span>
      <span className={isBad ? styles.bad : styles.text} title={text}>
        {isBad ? <b>error </b> : null}
        <Isolated>{text}</Isolated>
      </span>
    </>
  );
}
