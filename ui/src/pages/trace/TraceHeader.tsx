/** What a trace is, in two lines: name and figures, then where it came from. */

import type { Trace } from "../../api/types";
import { CopyButton } from "../../components/CopyButton";
import { Menu, MenuClose } from "../../components/Menu";
import { StateMark } from "../../components/StateMark";
import { listFirstContext } from "../../model/context";
import {
  formatCost,
  formatCount,
  formatDuration,
  formatExactTime,
  formatNumberOf,
  formatTime,
  nameTrace,
  shortenCommit,
} from "../../model/format";
import { writeOtlp } from "../../model/otlp";
import { Link } from "../../router";
import { buildTracesUrl } from "../traces/url";
import type { Neighbours } from "./neighbours";
import styles from "./TraceHeader.module.css";
import { buildTraceUrl } from "./url";

const NS_PER_MS = 1e6;

interface TraceHeaderProps {
  trace: Trace;
  nowMs: number;
  neighbours: Neighbours;
}

export function TraceHeader({ trace, nowMs, neighbours }: TraceHeaderProps) {
  const { info } = trace;
  const facts: [string, string, string?][] = [
    ["Started", formatTime(info.request_time_ms, nowMs), formatExactTime(info.request_time_ms, nowMs)],
    info.state === "IN_PROGRESS"
      ? ["Running for", formatDuration(Math.max(0, nowMs - info.request_time_ms) * NS_PER_MS)]
      : ["Duration", formatDuration(info.duration_ns)],
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
        <Link href={neighbours.listHref} className={styles.back} title="Back to the list">
          Traces
        </Link>
        <span className={styles.slash}>/</span>
        <h1>
          <bdi>{nameTrace(info)}</bdi>
        </h1>
        <StateMark state={info.state} />
        {info.error_count > 0 ? (
          <span className={styles.errors}>{formatNumberOf(info.error_count, "failed span")}</span>
        ) : null}
        <span className={styles.id}>
          <Beside neighbours={neighbours} />
          <code>{info.trace_id}</code>
          <CopyButton text={info.trace_id} label="Copy id" />
          <Download trace={trace} />
        </span>
      </div>
      <div className={styles.line}>
        <dl className={styles.facts}>
          {facts.map(([label, value, detail]) => (
            <div key={label} title={detail}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
        <div className={styles.context}>
          {listFirstContext(info).map((row) =>
            row.condition === null ? null : (
              <Link
                key={row.label}
                href={buildTracesUrl({ filter: row.condition })}
                title={`Traces where ${row.condition}`}
              >
                <span>{row.label}</span>
                <bdi>{row.label === "commit" ? shortenCommit(row.value) : row.value}</bdi>
              </Link>
            ),
          )}
        </div>
      </div>
    </header>
  );
}

interface ArrowProps {
  traceId: string | null;
  title: string;
  sign: string;
}

function Arrow({ traceId, title, sign }: ArrowProps) {
  if (traceId === null) return <span aria-hidden="true">{sign}</span>;
  return (
    <Link href={buildTraceUrl({ traceId })} aria-label={title} title={title}>
      {sign}
    </Link>
  );
}

function Beside({ neighbours: { before, after } }: { neighbours: Neighbours }) {
  if (before === null && after === null) return null;
  return (
    <nav className={styles.beside} aria-label="Traces of the list">
      <Arrow traceId={before} title="Previous trace of the list (←)" sign="←" />
      <Arrow traceId={after} title="Next trace of the list (→)" sign="→" />
    </nav>
  );
}

function Download({ trace }: { trace: Trace }) {
  const name = trace.info.trace_id.replaceAll(/[^\w.-]+/g, "_").slice(0, 80);
  const otlp = (): void => {
    const written = writeOtlp(trace);
    if (written !== null) save(JSON.stringify(written), `${name}.otlp.json`);
  };
  const hasOtlp = /^(tr-)?[0-9a-f]{32}$/.test(trace.info.trace_id);
  return (
    <Menu title="Download the trace" label="Download" align="end">
      <div className={styles.downloads}>
        <MenuClose onClick={() => save(JSON.stringify(trace, null, 2), `${name}.json`)}>
          JSON <span>as the API answers it</span>
        </MenuClose>
        <MenuClose onClick={otlp} disabled={!hasOtlp}>
          OTLP <span>{hasOtlp ? "for any OpenTelemetry collector" : "not for an id of another store"}</span>
        </MenuClose>
      </div>
    </Menu>
  );
}

function save(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
