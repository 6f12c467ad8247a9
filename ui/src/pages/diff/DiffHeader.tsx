/** Which traces are compared, and what came out in a line. */

import { useState } from "react";

import type { TraceDiff, TraceInfo } from "../../api/types";
import { StateMark } from "../../components/StateMark";
import { formatCount, formatDuration, formatTime, shortenCommit } from "../../model/format";
import { Link } from "../../router";
import { readLastList } from "../traces/lastList";
import { buildTraceUrl } from "../trace/url";
import { Delta } from "./Delta";
import styles from "./DiffPage.module.css";
import { buildDiffUrl, type DiffView } from "./url";

interface DiffHeaderProps {
  view: DiffView;
  diff: TraceDiff;
  baseline: TraceInfo;
  candidate: TraceInfo;
}

export function DiffHeader({ view, diff, baseline, candidate }: DiffHeaderProps) {
  const counts: readonly (readonly [string, number, string])[] = [
    ["changed", diff.changed, "changed"],
    ["only in A", diff.only_baseline, "removed"],
    ["only in B", diff.only_candidate, "added"],
    ["the same", diff.same, "same"],
  ];
  return (
    <header className={styles.header}>
      <div className={styles.line}>
        <Link href={readLastList()} className={styles.faint}>
          Traces
        </Link>
        <span className={styles.faint}>/</span>
        <h1>Two traces</h1>
        <span className={styles.counts}>
          {counts.map(([title, count, look]) => (
            <span key={title} data-look={look}>
              {formatCount(count)} {title}
            </span>
          ))}
        </span>
        <span className={styles.right}>
          <Link
            href={buildDiffUrl({ ...view, onlyChanges: !view.onlyChanges })}
            className="quiet-button"
            aria-current={view.onlyChanges ? "true" : undefined}
          >
            {view.onlyChanges ? "Show all spans" : "Only differences"}
          </Link>
          <Link
            href={buildDiffUrl({ ...view, baseline: view.candidate, candidate: view.baseline })}
            className="quiet-button"
          >
            Swap
          </Link>
        </span>
      </div>
      <div className={styles.sides}>
        <Side letter="A" info={baseline} />
        <Side letter="B" info={candidate} />
        <p className={styles.sum}>
          <span className={styles.faint}>Duration</span>{" "}
          <Delta before={diff.baseline_ms} after={diff.candidate_ms} />
        </p>
      </div>
    </header>
  );
}

function Side({ letter, info }: { letter: "A" | "B"; info: TraceInfo }) {
  const [nowMs] = useState(() => Date.now());
  const about = [
    info.environment,
    info.app_version,
    info.commit === null ? null : shortenCommit(info.commit),
    formatTime(info.request_time_ms, nowMs),
  ].filter((one) => one !== null);
  return (
    <div className={styles.side}>
      <span className={styles.letter} data-side={letter}>
        {letter}
      </span>
      <Link href={buildTraceUrl({ traceId: info.trace_id })} title={info.trace_id}>
        <bdi>{info.name ?? info.trace_id}</bdi>
      </Link>
      <StateMark state={info.state} />
      <span>{formatDuration(info.duration_ns)}</span>
      <span className={styles.faint}>{about.join(" · ")}</span>
    </div>
  );
}
