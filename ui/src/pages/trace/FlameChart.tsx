/** The trace as a flame: a row for each depth, a box for each span, drawn on the common time. */

import { useMemo } from "react";

import { formatDuration, formatTick } from "../../model/format";
import { layOutFlame } from "../../model/flame";
import { isFailed, type SpanNode } from "../../model/spanTree";
import { lookOf } from "../../model/spanTypes";
import { fit, listTicks, placeBar, type Sight } from "../../model/timeline";
import styles from "./FlameChart.module.css";
import type { Shown, Tree } from "./useTree";

const ROW = 22;
const MOST_TICKS = 8;
/** Narrower boxes than this part of the chart are drawn together, and have no name. */
const LEAST = 1 / 1500;
const LEAST_NAMED = 0.03;

interface FlameChartProps {
  tree: Tree;
  shown: Shown;
  selected: SpanNode | null;
  sight: Sight;
  onSight: (sight: Sight) => void;
  onSelect: (spanId: string) => void;
}

export function FlameChart({ tree, shown, selected, sight, onSight, onSelect }: FlameChartProps) {
  const { roots, times, extent } = tree;
  const { boxes, depth } = useMemo(
    () => layOutFlame(roots, times, extent.lengthNs, sight, LEAST),
    [roots, times, extent, sight],
  );
  const { found, fits } = shown;
  return (
    <div className={styles.scroller} role="region" aria-label="Flame chart">
      <div className={styles.axis} aria-hidden="true">
        {listTicks(extent.lengthNs, MOST_TICKS, sight).map((tick) => (
          <span key={tick} style={{ left: `${placeBar(tick, tick, extent.lengthNs, sight).left * 100}%` }}>
            {formatTick(tick)}
          </span>
        ))}
      </div>
      <div className={styles.boxes} style={{ height: depth * ROW }}>
        {boxes.map(({ node, left, width, row, count }) => {
          const { span } = node;
          if (span === null) return null;
          const at = times.get(node);
          const isDim = (found !== null && !found.has(node)) || (fits !== null && !fits.has(node));
          const length = at === undefined ? "" : formatDuration(at.end - at.start);
          const said = count > 1 ? `${span.name} and ${count - 1} more` : `${span.name} ${length}`;
          return (
            <button
              key={node.key}
              type="button"
              className={`${styles.box} ${node === selected ? styles.selected : ""} ${isDim ? styles.dimmed : ""}`}
              title={said}
              aria-label={said}
              tabIndex={width < LEAST_NAMED ? -1 : 0}
              style={{
                left: `${left * 100}%`,
                width: `${width * 100}%`,
                top: row * ROW,
                "--box": isFailed(span) ? "var(--error)" : lookOf(span.span_type).colour,
              }}
              onClick={() => onSelect(span.span_id)}
              onDoubleClick={() => at !== undefined && onSight(fit(at, extent.lengthNs))}
            >
              {width < LEAST_NAMED ? null : <bdi>{span.name}</bdi>}
            </button>
          );
        })}
      </div>
    </div>
  );
}
