/** What is done with the spans as a whole: find, filter, another chart, what the bars emphasise. */

import { type KeyboardEvent, type RefObject, useEffect, useState } from "react";

import { Menu } from "../../components/Menu";
import { SpanSign } from "../../components/SpanSign";
import { formatCount } from "../../model/format";
import { isWhole, type Sight, WHOLE } from "../../model/timeline";
import { Link } from "../../router";
import styles from "./Toolbar.module.css";
import { buildTraceUrl, type Chart, type TraceView } from "./url";
import type { Emphasis } from "./WaterfallRow";

const WRITE_AFTER_MS = 150;
const CHART_NAMES: readonly (readonly [Chart, string])[] = [
  ["waterfall", "Waterfall"],
  ["flame", "Flame"],
  ["log", "Log"],
  ["table", "By name"],
];
const EMPHASES: readonly (readonly [Emphasis, string, string])[] = [
  ["none", "Plain", "Bars as long as their spans"],
  ["self", "Self time", "Strong where no child ran"],
  ["critical", "Critical path", "Underlined where the trace waited for it"],
];

interface ToolbarProps {
  view: TraceView;
  onView: (change: Partial<TraceView>) => void;
  field: RefObject<HTMLInputElement | null>;
  /** How many spans were found, and which of them is selected (from 0; -1: none). */
  matches: { count: number; at: number } | null;
  onMatch: (by: 1 | -1) => void;
  types: readonly (readonly [string, number])[];
  errorCount: number;
  emphasis: Emphasis;
  onEmphasis: (emphasis: Emphasis) => void;
  sight: Sight;
  onSight: (sight: Sight) => void;
}

/** Whether a chart has an axis of time, which can be zoomed. */
export function showsTime(chart: Chart): boolean {
  return chart === "waterfall" || chart === "flame";
}

export function Toolbar(props: ToolbarProps) {
  const { view, onView, errorCount, emphasis, onEmphasis, sight, onSight } = props;
  return (
    <div className={styles.toolbar} role="toolbar" aria-label="Spans">
      <FindField key={view.traceId} {...props} />
      {errorCount > 0 || view.onlyErrors ? (
        <button
          type="button"
          className={`quiet-button ${view.onlyErrors ? styles.on : ""}`}
          aria-pressed={view.onlyErrors}
          onClick={() => onView({ onlyErrors: !view.onlyErrors })}
        >
          Errors <span className={styles.count}>{formatCount(errorCount)}</span>
        </button>
      ) : null}
      <TypesMenu {...props} />
      <span className={styles.gap} />
      {isWhole(sight) || !showsTime(view.chart) ? null : (
        <button type="button" className="quiet-button" onClick={() => onSight(WHOLE)}>
          Reset zoom
        </button>
      )}
      {view.chart === "waterfall" ? (
        <label className={styles.emphasis}>
          <span className="visually-hidden">Emphasis of the bars</span>
          <select
            value={emphasis}
            onChange={(event) => onEmphasis(event.target.value as Emphasis)}
            title={EMPHASES.find(([one]) => one === emphasis)?.[2]}
          >
            {EMPHASES.map(([one, name]) => (
              <option key={one} value={one}>
                {name}
              </option>
            ))}
          </select>
        </label>
      ) : null}
      <nav className={styles.charts} aria-label="Charts">
        {CHART_NAMES.map(([chart, name]) => (
          <Link
            key={chart}
            href={buildTraceUrl({ ...view, chart })}
            aria-current={view.chart === chart ? "true" : undefined}
          >
            {name}
          </Link>
        ))}
      </nav>
    </div>
  );
}

function FindField({ view, onView, field, matches, onMatch }: ToolbarProps) {
  const [draft, setDraft] = useState(view.find);
  const [sent, setSent] = useState(view.find);
  const [seen, setSeen] = useState(view.find);
  // The address may change by itself: back, a link.
  if (view.find !== seen) {
    setSeen(view.find);
    if (view.find !== sent) {
      setSent(view.find);
      setDraft(view.find);
    }
  }
  useEffect(() => {
    if (draft === sent) return;
    const timer = setTimeout(() => {
      setSent(draft);
      onView({ find: draft });
    }, WRITE_AFTER_MS);
    return () => clearTimeout(timer);
  }, [draft, sent, onView]);
  const press = (event: KeyboardEvent<HTMLInputElement>): void => {
    if (event.key === "Enter") {
      event.preventDefault();
      onMatch(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.currentTarget.blur();
    }
  };
  return (
    <div className={styles.find}>
      <input
        ref={field}
        type="search"
        value={draft}
        placeholder="Find in this trace"
        aria-label="Find in this trace"
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={press}
      />
      {matches === null ? (
        <kbd aria-hidden="true">/</kbd>
      ) : (
        <>
          <span role="status" className={styles.matches}>
            {matches.at < 0 ? "" : `${formatCount(matches.at + 1)} of `}
            {matches.count === 0 ? "nothing" : formatCount(matches.count)}
          </span>
          <button type="button" aria-label="Previous match" title="Previous match (p)" onClick={() => onMatch(-1)}>
            ↑
          </button>
          <button type="button" aria-label="Next match" title="Next match (n)" onClick={() => onMatch(1)}>
            ↓
          </button>
        </>
      )}
    </div>
  );
}

function TypesMenu({ view, onView, types }: ToolbarProps) {
  if (types.length < 2 && view.types.length === 0) return null;
  const toggle = (type: string): void => {
    const next = view.types.includes(type)
      ? view.types.filter((one) => one !== type)
      : [...view.types, type];
    onView({ types: next });
  };
  const label = view.types.length === 0 ? "Type" : view.types.join(", ");
  return (
    <Menu label={<span className={styles.types}>{label}</span>} title="Span types">
      <div className={styles.list}>
        {types.map(([type, count]) => (
          <label key={type}>
            <input type="checkbox" checked={view.types.includes(type)} onChange={() => toggle(type)} />
            <SpanSign spanType={type} />
            {type}
            <span className={styles.count}>{formatCount(count)}</span>
          </label>
        ))}
        <button type="button" className="quiet-button" onClick={() => onView({ types: [] })}>
          All types
        </button>
      </div>
    </Menu>
  );
}
