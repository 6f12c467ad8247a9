/** The tree and the bars in one list; only the rows in sight are in the page. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useRef } from "react";

import { useSlots } from "../../components/useSlots";
import { useKept } from "../../kept";
import { formatTick } from "../../model/format";
import { listSelfStretches, type Stretch } from "../../model/ownTime";
import type { SpanNode } from "../../model/spanTree";
import { fit, listTicks, placeBar, type Sight, zoom } from "../../model/timeline";
import { useMedia } from "../../useMedia";
import { useLaneDrag } from "./useLaneDrag";
import { usePinned } from "./usePinned";
import type { Shown, Tree } from "./useTree";
import styles from "./Waterfall.module.css";
import { type Emphasis, WaterfallRow } from "./WaterfallRow";

const ROW_HEIGHT = 28;
const NARROW_ROW_HEIGHT = 46;
/** Rows beyond the edges: what one notch of a wheel brings in. */
const OVERSCAN = 5;
const MOST_TICKS = 5;
const WHEEL_ZOOM = 0.002;
const NAME_WIDTH = "whence.trace.names";
const LEAST_NAMES = 140;
const MOST_NAMES = 900;
const NAME_STEP = 24;
const NOTHING: readonly Stretch[] = [];

interface WaterfallProps {
  tree: Tree;
  shown: Shown;
  /** Index of the selected row, or -1. */
  selected: number;
  sight: Sight;
  onSight: (sight: Sight) => void;
  emphasis: Emphasis;
  hrefOf: (spanId: string) => string;
  onSelect: (spanId: string) => void;
  onToggle: (key: string) => void;
}

export function Waterfall(props: WaterfallProps) {
  const { tree, shown, selected, sight, onSight, emphasis, hrefOf, onSelect, onToggle } = props;
  const { rows, found, fits } = shown;
  const { extent, times, criticalPath } = tree;
  const scroller = useRef<HTMLDivElement>(null);
  const isNarrow = useMedia("(max-width: 480px)");
  const height = isNarrow ? NARROW_ROW_HEIGHT : ROW_HEIGHT;
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    getItemKey: useCallback((index: number) => rows[index]?.node.key ?? index, [rows]),
    overscan: OVERSCAN,
    useFlushSync: false, // as in the list of traces
  });
  useEffect(() => virtualizer.measure(), [height, virtualizer]);
  useEffect(() => {
    if (selected >= 0) virtualizer.scrollToIndex(selected, { align: "auto" });
  }, [selected, virtualizer]);
  const pinned = usePinned().keys;
  const [keptWidth, keepWidth] = useKept(NAME_WIDTH);
  const nameWidth = keptWidth === null ? null : clampNames(Number(keptWidth));
  const drag = useLaneDrag(scroller, sight, extent.lengthNs, onSight);
  useWheelZoom(scroller, sight, extent.lengthNs, onSight);
  const onFit = useStable((node: SpanNode) => {
    const at = times.get(node);
    if (at !== undefined) onSight(fit(at, extent.lengthNs));
  });
  const select = useStable(onSelect);
  const toggle = useStable(onToggle);

  const items = virtualizer.getVirtualItems();
  const slots = useSlots(items.map(({ key }) => key), scroller);

  return (
    <div
      ref={scroller}
      className={styles.scroller}
      style={nameWidth === null ? {} : { "--names": `${nameWidth}px` }}
      {...drag.handlers}
    >
      <Axis lengthNs={extent.lengthNs} sight={sight} width={nameWidth} onWidth={keepWidth} />
      {drag.marked === null ? null : (
        <div className={styles.marked} aria-hidden="true">
          <div className={styles.lane}>
            <span style={{ left: `${drag.marked.from * 100}%`, right: `${(1 - drag.marked.to) * 100}%` }} />
          </div>
        </div>
      )}
      <div role="tree" aria-label="Spans" className={styles.rows} style={{ height: virtualizer.getTotalSize() }}>
        {items.map((item) => {
          const row = rows[item.index];
          if (row === undefined) return null;
          const { node } = row;
          const isSelected = item.index === selected;
          return (
            <WaterfallRow
              key={slots.get(item.key) ?? -1}
              slot={slots.get(item.key) ?? -1}
              node={node}
              depth={row.depth}
              isCollapsed={row.isCollapsed}
              isSelected={isSelected}
              isFocusable={isSelected || (selected < 0 && item.index === 0)}
              isDimmed={(found !== null && !found.has(node)) || (fits !== null && !fits.has(node))}
              isFound={found?.has(node) === true}
              times={times.get(node)}
              lengthNs={extent.lengthNs}
              sight={sight}
              emphasis={emphasis}
              pinned={pinned}
              stretches={stretchesOf(node, emphasis, tree, criticalPath)}
              top={item.start}
              height={height}
              href={hrefOf(node.spanId)}
              onSelect={select}
              onToggle={toggle}
              onFit={onFit}
            />
          );
        })}
      </div>
      {rows.length === 0 ? <p className={styles.none}>No span fits the filter</p> : null}
    </div>
  );
}

const selfStretches = new WeakMap<SpanNode, readonly Stretch[]>();

function stretchesOf(
  node: SpanNode,
  emphasis: Emphasis,
  { times }: Tree,
  criticalPath: Tree["criticalPath"],
): readonly Stretch[] {
  if (emphasis === "critical") return criticalPath.get(node) ?? NOTHING;
  if (emphasis === "none") return NOTHING;
  let known = selfStretches.get(node);
  if (known === undefined) {
    known = listSelfStretches(node, times);
    selfStretches.set(node, known);
  }
  return known;
}

/** A function that keeps its identity, so that rows which did not change are not drawn again. */
function useStable<A extends readonly unknown[]>(latest: (...args: A) => void): (...args: A) => void {
  const held = useRef(latest);
  useEffect(() => {
    held.current = latest;
  });
  return useCallback((...args: A) => held.current(...args), []);
}

function clampNames(width: number): number {
  return Math.min(MOST_NAMES, Math.max(LEAST_NAMES, Number.isFinite(width) ? width : LEAST_NAMES));
}

interface AxisProps {
  lengthNs: number;
  sight: Sight;
  width: number | null;
  onWidth: (width: string) => void;
}

function Axis({ lengthNs, sight, width, onWidth }: AxisProps) {
  const names = useRef<HTMLDivElement>(null);
  const step = (by: number): void => {
    onWidth(String(clampNames((names.current?.offsetWidth ?? LEAST_NAMES) + by)));
  };
  const resize = (event: React.PointerEvent<HTMLDivElement>): void => {
    event.preventDefault();
    event.stopPropagation();
    const handle = event.currentTarget;
    handle.setPointerCapture(event.pointerId);
    const left = names.current?.getBoundingClientRect().left ?? 0;
    handle.addEventListener("pointermove", (move: PointerEvent): void => {
      if (handle.hasPointerCapture(event.pointerId)) {
        onWidth(String(Math.round(clampNames(move.clientX - left))));
      }
    });
  };
  return (
    <div className={styles.axis}>
      <div ref={names}>
        Span
        {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a separator that moves takes the focus */}
        <div
          role="separator"
          aria-orientation="vertical"
          aria-label="Width of the names"
          aria-valuenow={width ?? LEAST_NAMES}
          aria-valuemin={LEAST_NAMES}
          aria-valuemax={MOST_NAMES}
          tabIndex={0}
          className={styles.handle}
          onPointerDown={resize}
          onKeyDown={(event) => {
            if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
            event.preventDefault();
            event.stopPropagation();
            step(event.key === "ArrowLeft" ? -NAME_STEP : NAME_STEP);
          }}
        />
      </div>
      <div className={styles.lane} data-lane="" aria-hidden="true">
        {listTicks(lengthNs, MOST_TICKS, sight).map((tick) => {
          const { left } = placeBar(tick, tick, lengthNs, sight);
          return (
            <span key={tick} style={{ left: `${left * 100}%` }} data-turned={left > 0.92 ? "" : undefined}>
              {formatTick(tick)}
            </span>
          );
        })}
      </div>
    </div>
  );
}

/** Ctrl (⌘) and the wheel: closer or farther, around the pointer. Shift and the wheel: sideways. */
function useWheelZoom(
  scroller: React.RefObject<HTMLDivElement | null>,
  sight: Sight,
  lengthNs: number,
  onSight: (sight: Sight) => void,
): void {
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    // Not passive: the browser's own zoom has to be stopped, which React's listeners can't.
    const turn = (event: WheelEvent): void => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const lane = element.querySelector("[data-lane]")?.getBoundingClientRect();
      if (lane === undefined) return;
      const anchor = Math.min(1, Math.max(0, (event.clientX - lane.left) / lane.width));
      onSight(zoom(sight, Math.exp(event.deltaY * WHEEL_ZOOM), anchor, lengthNs));
    };
    element.addEventListener("wheel", turn, { passive: false });
    return () => element.removeEventListener("wheel", turn);
  }, [scroller, sight, lengthNs, onSight]);
}
