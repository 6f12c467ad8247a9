/** Some traces of a region of durations, of both sides beside each other, and the way to all. */

import { useQuery } from "@tanstack/react-query";

import { fewTracesQuery } from "../../api/queries";
import type { DurationDistribution, DurationRegion } from "../../api/types";
import { Problem } from "../../components/Problem";
import { StateMark } from "../../components/StateMark";
import { formatPart, nameRegion } from "../../model/durations";
import { formatDuration, formatNumberOf } from "../../model/format";
import { Link } from "../../router";
import { buildTraceUrl } from "../trace/url";
import { useTracesHref } from "./links";
import styles from "./RegionTraces.module.css";

const SHOWN = 5;

interface RegionTracesProps {
  region: DurationRegion;
  found: DurationDistribution;
  closeHref: string;
}

export function RegionTraces({ region, found, closeHref }: RegionTracesProps) {
  return (
    <section className={styles.region} aria-label={`Traces of ${nameRegion(region)}`}>
      <header>
        <h3>Traces that took {nameRegion(region)}</h3>
        <Link href={closeHref} className="quiet-button">
          Close
        </Link>
      </header>
      <div className={styles.sides}>
        <Side
          name={found.baseline.asked}
          count={region.baseline}
          of={found.baseline.used}
          filter={region.baseline_filter}
        />
        <Side
          name={found.candidate.asked}
          count={region.candidate}
          of={found.candidate.used}
          filter={region.candidate_filter}
        />
      </div>
    </section>
  );
}

interface SideProps {
  name: string;
  count: number;
  of: number;
  filter: string;
}

function Side({ name, count, of, filter }: SideProps) {
  const hrefOf = useTracesHref();
  const query = useQuery({ ...fewTracesQuery(filter, "execution_time_ms DESC", SHOWN), enabled: count > 0 });
  return (
    <div>
      <h4>
        <bdi>{name}</bdi> <span>{formatPart(count, of)}</span>
        {count === 0 ? null : <Link href={hrefOf(filter)}>Open {formatNumberOf(count, "trace")}</Link>}
      </h4>
      {query.error === null ? null : <Problem error={query.error} onRetry={() => void query.refetch()} />}
      {count > 0 && query.data === undefined && query.error === null ? (
        <p role="status" className={styles.loading}>
          Loading…
        </p>
      ) : null}
      <ul>
        {query.data?.traces.map(({ info }) => (
          <li key={info.trace_id}>
            <Link href={buildTraceUrl({ traceId: info.trace_id })}>
              <bdi>{info.name ?? info.trace_id}</bdi>
            </Link>
            <StateMark state={info.state} />
            <bdi className={styles.preview}>{info.request_preview}</bdi>
            <span>{formatDuration(info.duration_ns === null ? null : Number(info.duration_ns))}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
