/**
 * How long the traces of both sides took: the share that took at most so long. The chart is cut
 * into regions, each a link that lists its traces below; arrow keys walk from one to the next.
 */

import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useMemo, useRef, useState } from "react";

import { distributionQuery } from "../../api/comparisons";
import { useLastAnswer } from "../../api/lastAnswer";
import type { DurationDistribution, DurationRegion } from "../../api/types";
import { Problem } from "../../components/Problem";
import {
  drawAxis,
  drawSteps,
  type DurationAxis,
  findRegion,
  formatPart,
  nameRegion,
  placeRegion,
  writeRegion,
} from "../../model/durations";
import { formatValue } from "../../model/comparison";
import type { ComparedScope } from "../../model/compareSnippets";
import type { Bounds } from "../../model/time";
import { Link } from "../../router";
import styles from "./Distribution.module.css";
import { RegionTraces } from "./RegionTraces";
import { buildCompareUrl, type CompareView } from "./url";

const WIDTH = 1000;
const HEIGHT = 220;
const LINES = [0.25, 0.5, 0.75, 0.95];
const QUANTILES = ["p50_ms", "p95_ms", "p99_ms"] as const;

interface DistributionProps {
  view: CompareView;
  /** What was compared: a filter that is refused must not be asked again. */
  scope: ComparedScope;
  bounds: Bounds;
}

export function Distribution({ view, scope, bounds }: DistributionProps) {
  const query = useQuery(distributionQuery(scope, bounds));
  const found = useLastAnswer(query.data);
  const axis = useMemo(() => (found === undefined ? null : drawAxis(found)), [found]);
  if (found === undefined) {
    if (query.error === null) return <div className={styles.skeleton} role="status" aria-label="Loading" />;
    return <Problem error={query.error} onRetry={() => void query.refetch()} />;
  }
  if (axis === null) return <p className={styles.none}>No trace of either side has a duration.</p>;
  const region = findRegion(found.regions, view.region);
  return (
    <>
      <Quantiles found={found} />
      <Chart found={found} axis={axis} view={view} region={region} />
      {region === null ? (
        <p className={styles.hint}>Click a region of the chart to see its traces.</p>
      ) : (
        <RegionTraces
          region={region}
          found={found}
          closeHref={buildCompareUrl({ ...view, region: null })}
        />
      )}
    </>
  );
}

function Quantiles({ found }: { found: DurationDistribution }) {
  return (
    <table className={styles.quantiles}>
      <thead>
        <tr>
          <th scope="col">
            <span className="visually-hidden">Side</span>
          </th>
          {QUANTILES.map((name) => (
            <th key={name} scope="col">
              {name.slice(0, 3)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {(["baseline", "candidate"] as const).map((side) => (
          <tr key={side}>
            <th scope="row" data-side={side}>
              <i aria-hidden="true" />
              <bdi>{found[side].asked}</bdi>
            </th>
            {QUANTILES.map((name) => (
              <td key={name}>{formatValue(found[side][name], "ms")}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface ChartProps {
  found: DurationDistribution;
  axis: DurationAxis;
  view: CompareView;
  region: DurationRegion | null;
}

function Chart({ found, axis, view, region }: ChartProps) {
  const [active, setActive] = useState<number | null>(null);
  const plot = useRef<HTMLDivElement>(null);
  const paths = useMemo(
    () => [
      drawSteps(axis, found.at_ms, found.baseline_shares, WIDTH, HEIGHT),
      drawSteps(axis, found.at_ms, found.candidate_shares, WIDTH, HEIGHT),
    ],
    [axis, found],
  );
  const stop = active ?? Math.max(0, region === null ? 0 : found.regions.indexOf(region));
  const press = (event: KeyboardEvent): void => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    const next = Math.min(found.regions.length - 1, Math.max(0, stop + by));
    setActive(next);
    plot.current?.querySelectorAll("a")[next]?.focus();
  };
  return (
    <div className={styles.chart}>
      <div className={styles.scale} aria-hidden="true">
        {LINES.map((share) => (
          <span key={share} style={{ bottom: `${share * 100}%` }}>
            {share * 100} %
          </span>
        ))}
      </div>
      {/* The regions are links; the keys only walk them. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <div
        ref={plot}
        className={styles.plot}
        role="group"
        aria-label="Share of the traces that took at most so long: arrow keys walk the regions, Enter lists their traces"
        onKeyDown={press}
      >
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          {LINES.map((share) => (
            <path key={share} className={styles.grid} d={`M0 ${(1 - share) * HEIGHT}H${WIDTH}`} />
          ))}
          <path className={styles.baseline} d={paths[0]} />
          <path className={styles.candidate} d={paths[1]} />
        </svg>
        {found.regions.map((one, index) => {
          const [from, to] = placeRegion(axis, one);
          const said = describeRegion(one, found);
          return (
            <Link
              key={writeRegion(one)}
              href={buildCompareUrl({ ...view, region: writeRegion(one) })}
              className={styles.region}
              aria-current={one === region ? "true" : undefined}
              aria-label={said}
              title={said}
              tabIndex={index === stop ? 0 : -1}
              onFocus={() => setActive(index)}
              style={{ left: `${from * 100}%`, width: `${(to - from) * 100}%` }}
            />
          );
        })}
      </div>
      <div className={styles.axis} aria-hidden="true">
        {axis.ticks.map(({ ms, text, at }) => (
          <span key={ms} style={{ left: `${at * 100}%` }}>
            {text}
          </span>
        ))}
      </div>
    </div>
  );
}

function describeRegion(one: DurationRegion, found: DurationDistribution): string {
  return `${nameRegion(one)}: ${formatPart(one.baseline, found.baseline.used)} of ${found.baseline.asked}, ${formatPart(one.candidate, found.candidate.used)} of ${found.candidate.asked}`;
}
