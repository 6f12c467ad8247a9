/**
 * How many traces began when. Every bar is a link to its own time; a drag over bars, or Shift with
 * the arrow keys, takes all of them.
 */

import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, type PointerEvent, useMemo, useRef, useState } from "react";

import { useLastAnswer } from "../../api/lastAnswer";
import { type Scope, seriesQuery } from "../../api/queries";
import type { TraceSeries } from "../../api/types";
import { formatCount } from "../../model/format";
import {
  colourOf,
  describeBar,
  drawHistogram,
  findBrushed,
  type Histogram as Drawn,
  listTicks,
  nameLine,
} from "../../model/histogram";
import { writeMoment } from "../../model/time";
import { Link, navigate } from "../../router";
import styles from "./Histogram.module.css";
import { buildTracesUrl, SPLITS, type Split, type TracesView } from "./url";

const BUCKETS = 80;
const DRAG_PX = 4;
const SPLIT_NAMES: Readonly<Record<Split, string>> = {
  state: "state",
  app_version: "version",
  environment: "environment",
  branch: "branch",
};

interface HistogramProps {
  view: TracesView;
  scope: Scope;
  /** Its counts are asked for; on a first view, after the rows. */
  isWanted: boolean;
}

export function Histogram({ view, scope, isWanted }: HistogramProps) {
  const query = useQuery({ ...seriesQuery(scope, view.split, BUCKETS), enabled: isWanted });
  const series = useLastAnswer(query.data);
  return (
    <section className={styles.histogram} aria-label="Traces over time" aria-busy={query.isFetching}>
      {series === undefined ? (
        <div className={styles.empty}>{query.error === null ? null : "No histogram"}</div>
      ) : (
        <Chart series={series} view={view} isStale={query.isPlaceholderData || query.error !== null} />
      )}
      <div className={styles.foot}>
        {series === undefined ? <span /> : <Legend series={series} view={view} />}
        <label>
          <span>Split by</span>
          <select
            value={view.split}
            onChange={(event) => {
              const split = SPLITS.find((one) => one === event.target.value) ?? "state";
              navigate(buildTracesUrl({ ...view, split }), "replace");
            }}
          >
            {SPLITS.map((one) => (
              <option key={one} value={one}>
                {SPLIT_NAMES[one]}
              </option>
            ))}
          </select>
        </label>
      </div>
    </section>
  );
}

interface ChartProps {
  series: TraceSeries;
  view: TracesView;
  isStale: boolean;
}

function Chart({ series, view, isStale }: ChartProps) {
  const drawn = useMemo(() => drawHistogram(series), [series]);
  const ticks = useMemo(() => listTicks(drawn.fromMs, drawn.untilMs, 7), [drawn]);
  const [active, setActive] = useState(0);
  const [marked, setMarked] = useState<readonly [number, number] | null>(null);
  const plot = useRef<HTMLDivElement>(null);
  const brush = useBrush(drawn, view);
  const zoom = (one: number, other: number): void => {
    const first = drawn.bars[Math.min(one, other)];
    const last = drawn.bars[Math.max(one, other)];
    if (first === undefined || last === undefined) return;
    navigate(zoomUrl(view, first.startMs, last.endMs));
  };
  const press = (event: KeyboardEvent): void => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) {
      if (event.key !== "Enter" || marked === null) return;
      event.preventDefault();
      zoom(...marked);
      setMarked(null);
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    const next = Math.min(drawn.bars.length - 1, Math.max(0, active + by));
    setActive(next);
    setMarked(event.shiftKey ? [marked?.[0] ?? active, next] : null);
    plot.current?.querySelectorAll("a")[next]?.focus();
  };
  const span = drawn.untilMs - drawn.fromMs;
  const covered = brush.covered ?? shareOf(marked, drawn);
  const unknown =
    series.counted_from_ms === null ? 0 : (series.counted_from_ms - drawn.fromMs) / span;
  return (
    <div className={`${styles.chart} ${isStale ? styles.stale : ""}`}>
      <span className={styles.highest} aria-hidden="true">
        {drawn.highest === 0 ? null : formatCount(drawn.highest)}
      </span>
      {/* The bars are links; keys and the pointer only join them. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <div
        ref={plot}
        className={styles.plot}
        role="group"
        aria-label="One bar for each stretch of time: arrow keys walk, Enter zooms in, Shift marks more"
        onKeyDown={press}
        {...brush.handlers}
      >
        {drawn.bars.map((bar, index) => (
          <Link
            key={bar.startMs}
            href={zoomUrl(view, bar.startMs, bar.endMs)}
            className={styles.bar}
            draggable={false}
            tabIndex={index === Math.min(active, drawn.bars.length - 1) ? 0 : -1}
            onFocus={() => setActive(index)}
            onClick={(event) => {
              if (brush.wasDragged()) event.preventDefault();
            }}
            aria-label={describeBar(bar, series.lines, view.split)}
            title={describeBar(bar, series.lines, view.split)}
          >
            {bar.parts.map(({ line, from, to }) => {
              const found = series.lines[line];
              return found === undefined ? null : (
                <span
                  key={line}
                  style={{
                    background: colourOf(found, line, view.split),
                    bottom: `${from * 100}%`,
                    height: `max(1px, ${(to - from) * 100}%)`,
                  }}
                />
              );
            })}
          </Link>
        ))}
        {unknown > 0 ? (
          <div className={styles.unknown} style={{ width: `${unknown * 100}%` }}>
            not counted before {writeMoment(series.counted_from_ms ?? 0)}: narrow the time or the filter
          </div>
        ) : null}
        {covered === null ? null : (
          <div
            className={styles.brush}
            style={{ left: `${covered[0] * 100}%`, width: `${(covered[1] - covered[0]) * 100}%` }}
          />
        )}
      </div>
      <div className={styles.axis} aria-hidden="true">
        {ticks.map(({ ms, text }) => {
          const share = (ms - drawn.fromMs) / span;
          return (
            <span key={ms} style={{ left: `${share * 100}%` }} data-edge={edgeOf(share)}>
              {text}
            </span>
          );
        })}
      </div>
    </div>
  );
}

const NEAR = 0.04;

/** A text at an end of the axis stands inside it. */
function edgeOf(share: number): "start" | "end" | undefined {
  if (share < NEAR) return "start";
  return share > 1 - NEAR ? "end" : undefined;
}

function zoomUrl(view: TracesView, sinceMs: number, untilMs: number): string {
  return buildTracesUrl({ ...view, isLive: false, time: { kind: "between", sinceMs, untilMs } });
}

function shareOf(marked: readonly [number, number] | null, drawn: Drawn): [number, number] | null {
  if (marked === null) return null;
  const count = drawn.bars.length;
  return [Math.min(...marked) / count, (Math.max(...marked) + 1) / count];
}

/** How far to the right of an element's left edge the pointer is, from 0 to 1. */
function shareAt(event: PointerEvent<HTMLElement>): number {
  const box = event.currentTarget.getBoundingClientRect();
  return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
}

/** Drag with the pointer: from where it went down to where it is. */
function useBrush(drawn: Drawn, view: TracesView) {
  const [ends, setEnds] = useState<readonly [number, number] | null>(null);
  const down = useRef<{ x: number; share: number } | null>(null);
  const dragged = useRef(false);
  const leave = (): void => {
    down.current = null;
    setEnds(null);
  };
  return {
    covered: ends === null ? null : ([Math.min(...ends), Math.max(...ends)] as const),
    /** The click that ends a drag is none. */
    wasDragged: () => dragged.current,
    handlers: {
      onPointerDown: (event: PointerEvent<HTMLElement>) => {
        dragged.current = false;
        if (event.button !== 0 || event.shiftKey || event.ctrlKey || event.metaKey) return;
        down.current = { x: event.clientX, share: shareAt(event) };
      },
      onPointerMove: (event: PointerEvent<HTMLElement>) => {
        if (down.current === null) return;
        if (!dragged.current && Math.abs(event.clientX - down.current.x) < DRAG_PX) return;
        if (!dragged.current) event.currentTarget.setPointerCapture(event.pointerId);
        dragged.current = true;
        setEnds([down.current.share, shareAt(event)]);
      },
      onPointerUp: (event: PointerEvent<HTMLElement>) => {
        if (down.current !== null && dragged.current) {
          const found = findBrushed(drawn, down.current.share, shareAt(event));
          if (found !== null) navigate(zoomUrl(view, found.sinceMs, found.untilMs));
        }
        leave();
      },
      onPointerCancel: leave,
    },
  };
}

function Legend({ series, view }: { series: TraceSeries; view: TracesView }) {
  const lines = series.lines.filter((line) => line.kind !== "all");
  return (
    <ul className={styles.legend} aria-label="Colours">
      {lines.map((line, index) => (
        <li key={`${line.kind} ${line.value}`}>
          <i style={{ background: colourOf(line, index, view.split) }} />
          <span>{nameLine(line, view.split)}</span>
          <b>{formatCount(line.total)}</b>
        </li>
      ))}
    </ul>
  );
}
