/** One metric of both sides over time, with when versions began; each point leads to its traces. */

import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useMemo, useRef, useState } from "react";

import { timelineQuery } from "../../api/comparisons";
import type { Comparison, Timeline } from "../../api/types";
import { Problem } from "../../components/Problem";
import small from "../../components/small.module.css";
import { formatValue } from "../../model/comparison";
import { formatNumberOf } from "../../model/format";
import { listTicks } from "../../model/histogram";
import {
  chooseMetric,
  coverBoth,
  drawPath,
  frame,
  listMarkers,
  listPoints,
  METRICS_OVER_TIME,
  type Plot,
  type Point,
} from "../../model/overTime";
import { writeMoment } from "../../model/time";
import { Link, navigate } from "../../router";
import { buildTracesUrl } from "../traces/url";
import { buildVersionUrl } from "../versions/url";
import styles from "./OverTime.module.css";
import { buildCompareUrl, type CompareView } from "./url";

const WIDTH = 1000;
const HEIGHT = 200;
const TICKS = 7;
/** A time that would be cut off is not written. */
const EDGE = 0.03;

export function OverTime({ found, view }: { found: Comparison; view: CompareView }) {
  const bounds = useMemo(() => coverBoth(found), [found]);
  const metric = chooseMetric(view.metric, found);
  const shared = {
    experimentIds: view.experimentIds,
    bounds: bounds ?? { sinceMs: null, untilMs: null },
  };
  const enabled = bounds !== null;
  const baseline = useQuery({
    ...timelineQuery(metric, { ...shared, filter: found.baseline.filter_string }),
    enabled,
  });
  const candidate = useQuery({
    ...timelineQuery(metric, { ...shared, filter: found.candidate.filter_string }),
    enabled,
  });
  const all = useQuery({
    ...timelineQuery(metric, { ...shared, filter: found.filter_string, environment: found.environment }),
    enabled,
  });
  const error = baseline.error ?? candidate.error ?? all.error;
  if (!enabled) return <p className={styles.none}>Both sides need traces.</p>;
  if (error !== null) {
    const again = (): void => {
      for (const query of [baseline, candidate, all]) void query.refetch();
    };
    return <Problem error={error} onRetry={again} />;
  }
  return (
    <>
      <label className={styles.metric}>
        <span>Metric</span>
        <select
          className={small.choice}
          value={metric}
          onChange={(event) =>
            navigate(buildCompareUrl({ ...view, metric: event.target.value }), "replace")
          }
        >
          {METRICS_OVER_TIME.map(({ name, title }) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </select>
      </label>
      {baseline.data === undefined || candidate.data === undefined || all.data === undefined ? (
        <div className={styles.skeleton} role="status" aria-label="Loading" />
      ) : (
        <Chart
          sides={[baseline.data, candidate.data]}
          all={all.data}
          found={found}
          experimentIds={view.experimentIds}
        />
      )}
    </>
  );
}

interface ChartProps {
  sides: readonly [Timeline, Timeline];
  /** Of all versions: their markers, and where one moved without a release. */
  all: Timeline;
  found: Comparison;
  experimentIds: readonly string[];
}

function Chart({ sides, all, found, experimentIds }: ChartProps) {
  const plot = useMemo(() => frame(sides), [sides]);
  const points = useMemo(
    () => (plot === null ? [] : sides.map((one) => listPoints(one, plot))),
    [sides, plot],
  );
  if (plot === null) return <p className={styles.none}>No trace tells this metric.</p>;
  const [one = [], other = []] = points;
  return (
    <>
      <div className={styles.chart}>
        <div className={styles.scale} aria-hidden="true">
          {plot.steps.map((step) => (
            <span key={step} style={{ bottom: `${(step / plot.top) * 100}%` }}>
              {formatValue(step, all.unit)}
            </span>
          ))}
        </div>
        <div className={styles.plot}>
          <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
            {plot.steps.map((step) => (
              <path
                key={step}
                className={styles.grid}
                d={`M0 ${(1 - step / plot.top) * HEIGHT}H${WIDTH}`}
              />
            ))}
            <path className={styles.baseline} d={drawPath(one, WIDTH, HEIGHT)} />
            <path className={styles.candidate} d={drawPath(other, WIDTH, HEIGHT)} />
          </svg>
          <Markers all={all} plot={plot} experimentIds={experimentIds} />
          <Points points={one} arm={found.baseline} timeline={sides[0]} side="baseline" experimentIds={experimentIds} />
          <Points points={other} arm={found.candidate} timeline={sides[1]} side="candidate" experimentIds={experimentIds} />
        </div>
        <div className={styles.axis} aria-hidden="true">
          {listTicks(plot.fromMs, plot.untilMs, TICKS)
            .map(({ ms, text }) => ({ ms, text, at: (ms - plot.fromMs) / (plot.untilMs - plot.fromMs) }))
            .filter(({ at }) => at > EDGE && at < 1 - EDGE)
            .map(({ ms, text, at }) => (
              <span key={ms} style={{ left: `${at * 100}%` }}>
                {text}
              </span>
            ))}
        </div>
      </div>
      <Drift all={all} experimentIds={experimentIds} />
    </>
  );
}

interface MarkersProps {
  all: Timeline;
  plot: Plot;
  experimentIds: readonly string[];
}

/** When versions began, each a link to what it is made of. */
function Markers({ all, plot, experimentIds }: MarkersProps) {
  return (
    <>
      {listMarkers(all, plot).map(({ x, atMs, versions, level }) => (
        <div
          key={atMs}
          className={styles.marker}
          data-end={x > 0.85 ? "1" : undefined}
          style={{ left: `${x * 100}%`, top: -14 * (level + 1) }}
          title={`${versions.join(", ")} from ${writeMoment(atMs)} on`}
        >
          <span>
            {versions.map((version) => (
              <Link key={version} href={buildVersionUrl({ version, experimentIds })}>
                <bdi>{version}</bdi>
              </Link>
            ))}
          </span>
        </div>
      ))}
    </>
  );
}

interface PointsProps {
  points: readonly (Point | null)[];
  arm: Comparison["baseline"];
  timeline: Timeline;
  side: "baseline" | "candidate";
  experimentIds: readonly string[];
}

function Points({ points, arm, timeline, side, experimentIds }: PointsProps) {
  const group = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const shown = points.filter((point) => point !== null);
  const press = (event: KeyboardEvent): void => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    const next = Math.min(shown.length - 1, Math.max(0, active + by));
    setActive(next);
    group.current?.querySelectorAll("a")[next]?.focus();
  };
  return (
    // The points are links; the keys only walk them.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <div
      ref={group}
      role="group"
      aria-label={`${arm.asked} over time: arrow keys walk the points, Enter opens their traces`}
      onKeyDown={press}
    >
      {shown.map((point, index) => {
        const said = `${arm.asked}, ${writeMoment(point.sinceMs)}: ${formatValue(point.value, timeline.unit)} of ${formatNumberOf(point.count, "trace")}${point.isNoise ? ", too few to mean much" : ""}`;
        return (
          <Link
            key={point.sinceMs}
            href={buildTracesUrl({
              filter: arm.filter_string,
              experimentIds,
              time: { kind: "between", sinceMs: point.sinceMs, untilMs: point.untilMs },
            })}
            className={styles.point}
            data-side={side}
            data-noise={point.isNoise ? "1" : undefined}
            aria-label={said}
            title={said}
            tabIndex={index === Math.min(active, shown.length - 1) ? 0 : -1}
            onFocus={() => setActive(index)}
            style={{ left: `${point.x * 100}%`, bottom: `${point.y * 100}%` }}
          />
        );
      })}
    </div>
  );
}

/** Where a version moved although none was released. */
function Drift({ all, experimentIds }: { all: Timeline; experimentIds: readonly string[] }) {
  return (
    <>
      <ul className={styles.drift}>
        {all.changes.map((change) => (
          <li key={`${change.app_version} ${change.environment} ${change.at_ms}`}>
            <b aria-hidden="true">!</b> {change.text}
            {change.filter_after === null ? null : (
              <>
                {" "}
                <Link href={buildTracesUrl({ filter: change.filter_after, experimentIds })}>Traces since</Link>
              </>
            )}
          </li>
        ))}
      </ul>
      <p className={styles.none}>
        Buckets of {formatValue(all.bucket_ms, "ms")}; hollow points have fewer than {all.enough_traces} traces, too
        few to mean much.
      </p>
    </>
  );
}
