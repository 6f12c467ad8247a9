/** What a trace is, in two lines: name and figures, then where it came from. */

import type { Trace } from "../../api/types";
import { CopyButton } from "../../components/CopyButton";
import { StateMark } from "../../components/StateMark";
import { listFirstContext } from "../../model/context";
import {
  formatCost,
  formatCount,
  formatDuration,
  formatExactTime,
  formatNumberOf,
  formatTime,
  shortenCommit,
} from "../../model/format";
import { Link } from "../../router";
import { buildTracesUrl } from "../traces/url";
import styles from "./TraceHeader.module.css";

export function TraceHeader({ trace: { info }, nowMs }: { trace: Trace; nowMs: number }) {
  const facts: [string, string, string?][] = [
    ["Started", formatTime(info.request_time_ms, nowMs), formatExactTime(info.request_time_ms, nowMs)],
    ["Duration", formatDuration(info.duration_ns)],
    ["Spans", formatCount(info.span_count)],
  ];
  if (info.total_tokens !== null) {
    const detail = `${formatCount(info.input_tokens)} in, ${formatCount(info.output_tokens)} out`;
    facts.push(["Tokens", formatCount(info.total_tokens), detail]);
  }
  if (info.cost_usd !== null) facts.push(["Cost", formatCost(info.cost_usd)]);
  if (info.models.length > 0) facts.push(["Model", info.models.join(", ")]);
  return (
    <header className={styles.header}>
      <div className={styles.line}>
        <Link href={buildTracesUrl({})} className={styles.back} title="All traces">
          Traces
        </Link>
        <span className={styles.slash}>/</span>
        <h1>{info.name ?? info.trace_id}</h1>
        <StateMark state={info.state} />
        {info.error_count > 0 ? (
          <span className={styles.errors}>{formatNumberOf(info.error_count, "failed span")}</span>
        ) : null}
        <span className={styles.id}>
          <code>{info.trace_id}</code>
          <CopyButton text={info.trace_id} label="Copy id" />
        </span>
      </div>
      <div className={styles.line}>
        <dl className={styles.facts}>
          {facts.map(([label, value, tooltip]) => (
            <div key={label} title={tooltip}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </div>
      <div className={styles.line}>
        <div className={styles.context}>
          {listFirstContext(info).map((row) =>
            row.condition === null ? null : (
              <Link
                key={row.label}
                href={buildTracesUrl({ filter: row.condition })}
                title={`Traces where ${row.condition}`}
              >
                <span>{row.label}</span>
                {row.label === "commit" ? shortenCommit(row.value) : row.value}
              </Link>
            ),
          )}
        </div>
      </div>
    </header>
  );
}
