/** The panel beside the spans: tabs for the selected span, and one for the trace's context. */

import { type PointerEvent, useRef } from "react";

import type { Trace } from "../../api/types";
import { useKept } from "../../kept";
import type { SpanNode } from "../../model/spanTree";
import { Link } from "../../router";
import { AssessmentsView } from "./Assessments";
import { ContextPanel } from "./ContextPanel";
import { SpanPanel } from "./SpanPanel";
import { chooseTab, listTabs } from "./tabs";
import styles from "./TracePage.module.css";
import { buildTraceUrl, type TraceView } from "./url";
import type { Tree } from "./useTree";

const WIDTH = "whence.trace.panel";
const LEAST = 300;
const STEP = 24;

interface SidePanelProps {
  view: TraceView;
  trace: Trace;
  tree: Tree;
  selected: SpanNode | null;
}

export function SidePanel({ view, trace, tree, selected }: SidePanelProps) {
  const [kept, keep] = useKept(WIDTH);
  const panel = useRef<HTMLElement>(null);
  const { assessments } = trace.info;
  const tabs = listTabs(selected?.span ?? null, assessments);
  const tab = chooseTab(tabs, view.tab);
  const width = kept === null || !Number.isFinite(Number(kept)) ? null : Number(kept);
  const setWidth = (next: number): void => {
    keep(String(Math.round(Math.min(window.innerWidth * 0.75, Math.max(LEAST, next)))));
  };
  const resize = (event: PointerEvent<HTMLDivElement>): void => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
    setWidth(window.innerWidth - event.clientX);
  };
  return (
    <aside
      ref={panel}
      className={styles.panel}
      aria-label="Details"
      style={width === null ? {} : { "--panel": `${width}px` }}
    >
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a separator that moves takes the focus */}
      <div
        role="separator"
        aria-orientation="vertical"
        aria-label="Width of the details"
        aria-valuenow={width ?? LEAST}
        aria-valuemin={LEAST}
        tabIndex={0}
        className={styles.edge}
        onPointerDown={(event) => {
          event.preventDefault();
          event.currentTarget.setPointerCapture(event.pointerId);
        }}
        onPointerMove={resize}
        onKeyDown={(event) => {
          if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
          event.preventDefault();
          event.stopPropagation();
          setWidth((panel.current?.offsetWidth ?? LEAST) + (event.key === "ArrowLeft" ? STEP : -STEP));
        }}
      />
      <nav className={styles.tabs} aria-label="Details">
        {tabs.map((one) => (
          <Link
            key={one.tab}
            href={buildTraceUrl({ ...view, tab: one.tab })}
            aria-current={one.tab === tab ? "true" : undefined}
          >
            {one.title}
            {one.count === undefined ? null : <span className={styles.number}>{one.count}</span>}
          </Link>
        ))}
      </nav>
      <div className={styles.content}>
        {tab === "context" || tab === "assessments" ? (
          <h2 className="visually-hidden">{tab === "context" ? "Context" : "Assessments"}</h2>
        ) : null}
        {tab === "context" ? <ContextPanel trace={trace} /> : null}
        {tab === "assessments" ? (
          <AssessmentsView
            key={view.spanId}
            traceId={trace.info.trace_id}
            assessments={assessments}
            span={selected?.span ?? null}
          />
        ) : null}
        {!selected?.span || tab === "context" || tab === "assessments" ? null : (
          <SpanPanel key={selected.key} node={selected} span={selected.span} tree={tree} tab={tab} />
        )}
      </div>
    </aside>
  );
}
