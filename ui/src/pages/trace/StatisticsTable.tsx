/** The spans by name: where the time went. */

import { useMemo, useState } from "react";

import { SpanSign } from "../../components/SpanSign";
import { formatCount, formatDuration } from "../../model/format";
import { type NameStatistics, summariseNames } from "../../model/spanStatistics";
import { Link } from "../../router";
import styles from "./StatisticsTable.module.css";
import { buildTraceUrl, type TraceView } from "./url";
import type { Tree } from "./useTree";

const MOST_SHOWN = 500;

type Measure = "count" | "errors" | "totalNs" | "selfNs" | "criticalNs" | "p50Ns" | "p95Ns";

const COLUMNS: readonly (readonly [Measure, string, string])[] = [
  ["count", "Spans", "How many spans have this name"],
  ["errors", "Errors", "How many of them failed"],
  ["totalNs", "Total", "Their durations added up; they may overlap"],
  ["selfNs", "Self", "The part during which none of their children ran"],
  ["criticalNs", "Critical", "Their own time on the critical path: it adds up to the trace's duration"],
  ["p50Ns", "p50", "Half of them took no longer"],
  ["p95Ns", "p95", "95 of 100 took no longer"],
];

interface StatisticsTableProps {
  tree: Tree;
  view: TraceView;
  onSelect: (spanId: string) => void;
}

export function StatisticsTable({ tree, view, onSelect }: StatisticsTableProps) {
  const [order, setOrder] = useState<Measure>("selfNs");
  const all = useMemo(() => summariseNames(tree.nodes, tree.times, tree.criticalPath), [tree]);
  const sorted = useMemo(() => all.toSorted((left, right) => right[order] - left[order]), [all, order]);
  const { lengthNs } = tree.extent;
  const show = (one: NameStatistics, measure: Measure): string => {
    if (measure === "count" || measure === "errors") return formatCount(one[measure]);
    return formatDuration(one[measure]);
  };
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls takes the focus
    <div className={styles.scroller} tabIndex={0} role="region" aria-label="Spans by name">
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col">Name</th>
            {COLUMNS.map(([measure, title, about]) => (
              <th key={measure} scope="col" aria-sort={order === measure ? "descending" : "none"}>
                <button type="button" title={about} onClick={() => setOrder(measure)}>
                  {title}
                  {order === measure ? " ↓" : ""}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.slice(0, MOST_SHOWN).map((one) => (
            <tr key={one.name}>
              <th scope="row">
                <span>
                  <SpanSign spanType={one.spanType} />
                  <Link
                    href={buildTraceUrl({ ...view, chart: "waterfall", find: one.name })}
                    title={`Find ${one.name} in the waterfall`}
                  >
                    <bdi>{one.name}</bdi>
                  </Link>
                  <button type="button" onClick={() => onSelect(one.longest.spanId)}>
                    longest
                  </button>
                </span>
              </th>
              {COLUMNS.map(([measure]) => (
                <td key={measure} data-bad={measure === "errors" && one.errors > 0 ? "" : undefined}>
                  {show(one, measure)}
                  {measure === "selfNs" || measure === "criticalNs" ? (
                    <span
                      className={styles.share}
                      style={{ width: `${Math.min(1, one[measure] / lengthNs) * 100}%` }}
                    />
                  ) : null}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {sorted.length > MOST_SHOWN ? (
        <p className={styles.rest}>
          showing {formatCount(MOST_SHOWN)} of {formatCount(sorted.length)} names
        </p>
      ) : null}
    </div>
  );
}
