/** The versions of one environment: traffic over time, errors, durations, tokens, cost, quality. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import { type Scope, seriesQuery } from "../../api/queries";
import type { Finding, TraceSeries, VersionRow } from "../../api/types";
import table from "../../components/Table.module.css";
import { formatValue, nameMetric } from "../../model/comparison";
import { equals } from "../../model/filter";
import { formatAge, formatCost, formatCount, formatExactTime, formatNumberOf } from "../../model/format";
import { writeMoment } from "../../model/time";
import {
  armOf,
  drawSpark,
  filterOf,
  findingsOf,
  listWithoutLine,
  lookUp,
  nameVersion,
  perTrace,
} from "../../model/versions";
import { Link, navigate } from "../../router";
import { buildCompareUrl } from "../compare/url";
import { buildTracesUrl } from "../traces/url";
import { buildVersionUrl } from "./url";
import styles from "./VersionTable.module.css";

const BUCKETS = 40;
const LINES = 200;

interface VersionTableProps {
  rows: readonly VersionRow[];
  environment: string | null;
  scope: Scope;
  findings: readonly Finding[];
  activeKey: string | null;
  chosen: readonly string[];
  /** Null: nothing is chosen here. */
  chooseHref: ((arm: string) => string) | null;
}

export function VersionTable(props: VersionTableProps) {
  const { rows, environment, scope, findings, activeKey, chosen, chooseHref } = props;
  const traffic = useTraffic(rows, environment, scope);
  return (
    <table className={`${table.table} ${styles.versions}`}>
      <thead>
        <tr>
          <th scope="col">
            <span className="visually-hidden">Choose</span>
          </th>
          <th scope="col">Version</th>
          <th scope="col">Traffic</th>
          <th scope="col" className={table.number}>
            Traces
          </th>
          <th scope="col" className={table.number}>
            Errors
          </th>
          <th scope="col" className={table.number}>
            p50
          </th>
          <th scope="col" className={table.number}>
            p95
          </th>
          <th scope="col" className={table.number} title="Mean of the traces that tell them">
            Tokens
          </th>
          <th scope="col" className={table.number} title="Mean of the traces that tell it">
            Cost
          </th>
          <th scope="col">Quality</th>
          <th scope="col">Commit</th>
          <th scope="col">Last trace</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => {
          const arm = armOf(row);
          const key = `${environment} ${arm}`;
          return (
            <Row
              key={key}
              row={row}
              environment={environment}
              scope={scope}
              series={traffic(row)}
              findings={findingsOf(findings, row, environment)}
              isActive={key === activeKey}
              isChosen={arm !== null && chosen.includes(arm)}
              chooseHref={arm === null || chooseHref === null ? null : chooseHref(arm)}
            />
          );
        })}
      </tbody>
    </table>
  );
}

/** When the traces of each row came; versions beyond the lines of one answer are asked for by name. */
function useTraffic(
  rows: readonly VersionRow[],
  environment: string | null,
  scope: Scope,
): (row: VersionRow) => TraceSeries | undefined {
  const where = environment === null ? "environment IS NULL" : equals("environment", environment);
  const { data: first } = useQuery({
    ...seriesQuery({ ...scope, filter: where ?? "" }, "app_version", BUCKETS, LINES),
    enabled: where !== null,
  });
  const left = first === undefined ? [] : listWithoutLine(first, rows).slice(0, LINES);
  const which = left.map((version) => equals("app_version", version)).filter((one) => one !== null);
  const bounds = first === undefined ? scope.bounds : { sinceMs: first.from_ms, untilMs: first.until_ms };
  const { data: rest } = useQuery({
    ...seriesQuery(
      { ...scope, bounds, filter: `${where} AND (${which.join(" OR ")})` },
      "app_version",
      BUCKETS,
      LINES,
    ),
    enabled: which.length > 0,
  });
  return (row) => (row.app_version !== null && left.includes(row.app_version) ? rest : first);
}

interface RowProps {
  row: VersionRow;
  environment: string | null;
  scope: Scope;
  series: TraceSeries | undefined;
  findings: readonly Finding[];
  isActive: boolean;
  isChosen: boolean;
  chooseHref: string | null;
}

function Row({ row, environment, scope, series, findings, isActive, isChosen, chooseHref }: RowProps) {
  const line = useRef<HTMLTableRowElement>(null);
  useEffect(() => {
    if (isActive) line.current?.scrollIntoView({ block: "nearest" });
  }, [isActive]);
  const filter = filterOf(row, environment);
  const version = lookUp(row);
  const name = nameVersion(row);
  return (
    <tr ref={line} className={isActive ? styles.active : isChosen ? styles.chosen : undefined}>
      <td className={styles.choice}>
        {chooseHref === null ? null : (
          <input
            type="checkbox"
            aria-label={`Choose ${name}`}
            checked={isChosen}
            onChange={() => navigate(chooseHref, "replace")}
          />
        )}
      </td>
      <th scope="row">
        {version === null ? (
          name
        ) : (
          <Link href={buildVersionUrl({ version, experimentIds: scope.experimentIds })}>
            <bdi>{name}</bdi>
          </Link>
        )}
        {row.warnings.length === 0 ? null : (
          <span className={styles.warning} title={row.warnings.join("\n")} role="img" aria-label={row.warnings.join("; ")}>
            !
          </span>
        )}
        <Findings findings={findings} experimentIds={scope.experimentIds} />
      </th>
      <td className={styles.spark}>
        <Sparkline series={series} version={row.app_version} name={name} />
      </td>
      <Counts row={row} filter={filter} scope={scope} />
      <td data-title="Quality">
        {row.quality.length === 0
          ? "–"
          : row.quality.map((one) => (
              <div key={one.name} title={formatNumberOf(one.count, "judgement")}>
                <bdi>{one.name}</bdi> {Number(one.mean.toPrecision(2))}
              </div>
            ))}
      </td>
      <td data-title="Commit">
        <Commit row={row} />
      </td>
      <td data-title="Last trace">
        <Moment ms={row.last_seen_ms} />
      </td>
    </tr>
  );
}

function Counts({ row, filter, scope }: { row: VersionRow; filter: string | null; scope: Scope }) {
  const hrefOf = (more: string): string =>
    buildTracesUrl({
      filter: `${filter ?? ""}${more}`,
      experimentIds: scope.experimentIds,
      time: scope.bounds.sinceMs === null && scope.bounds.untilMs === null
        ? { kind: "all" }
        : { kind: "between", ...scope.bounds },
    });
  const traces = formatCount(row.traces);
  const errors = formatValue(row.error_rate, "share");
  return (
    <>
      <td className={table.number} data-title="Traces">
        {filter === null ? traces : <Link href={hrefOf("")}>{traces}</Link>}
        {row.unfinished === 0 ? null : (
          <small title="Not ended">
            {" "}
            +{formatCount(row.unfinished)}
          </small>
        )}
      </td>
      <td className={table.number} data-title="Errors">
        {filter === null || row.errors === 0 ? (
          errors
        ) : (
          <Link href={hrefOf(" AND state = 'ERROR'")}>{errors}</Link>
        )}
      </td>
      <td className={table.number} data-title="p50">
        {formatValue(row.p50_ms, "ms")}
      </td>
      <td className={table.number} data-title="p95">
        {formatValue(row.p95_ms, "ms")}
      </td>
      <td className={table.number} data-title="Tokens a trace">
        {formatValue(perTrace(row.total_tokens, row.counted), "")}
      </td>
      <td className={table.number} data-title="Cost a trace">
        {formatCost(perTrace(row.cost_usd, row.priced))}
      </td>
    </>
  );
}

/** Regressions that the server found by itself, each a comparison. */
function Findings({ findings, experimentIds }: { findings: readonly Finding[]; experimentIds: readonly string[] }) {
  const [first] = findings;
  if (first === undefined) return null;
  const href = buildCompareUrl({
    baseline: first.baseline,
    candidate: first.candidate,
    environment: first.environment,
    experimentIds,
  });
  return (
    <Link href={href} className={styles.finding} title={findings.map((one) => one.summary).join("\n")}>
      ▲ {findings.flatMap((one) => one.metrics.map((row) => nameMetric(row.metric))).join(", ")}
    </Link>
  );
}

export function Commit({ row }: { row: VersionRow }) {
  const commit = row.commits[0]?.commit;
  if (commit === undefined) return <>–</>;
  return (
    <code title={row.commits.map((one) => `${one.commit}: ${formatNumberOf(one.traces, "trace")}`).join("\n")}>
      {commit.slice(0, 7)}
      {row.dirty === 0 ? null : (
        <span
          className={styles.dirty}
          role="img"
          aria-label={`${row.dirty} from uncommitted code`}
          title={`${formatNumberOf(row.dirty, "trace")} came from uncommitted code`}
        >
          *
        </span>
      )}
      {row.commit_count > 1 ? ` +${row.commit_count - 1}` : ""}
    </code>
  );
}

export function Moment({ ms }: { ms: number }) {
  const [nowMs] = useState(() => Date.now());
  return <time title={formatExactTime(ms, nowMs)}>{formatAge(nowMs - ms)}</time>;
}

function Sparkline({ series, version, name }: { series: TraceSeries | undefined; version: string | null; name: string }) {
  const spark = series === undefined ? null : drawSpark(series, version);
  if (series === undefined || spark === null) return null;
  const said = `Traces of ${name}, ${writeMoment(series.from_ms)} to ${writeMoment(series.until_ms)}: at most ${formatCount(spark.highest)} in one stretch`;
  return (
    <svg viewBox="0 0 100 20" width="100" height="20" preserveAspectRatio="none" role="img" aria-label={said}>
      <title>{said}</title>
      <path className={styles.ground} d="M0 19.5H100" />
      {spark.bars.map(([left, height]) => (
        <rect
          key={left}
          x={left * 100}
          y={20 - Math.max(1, height * 19)}
          width={Math.max(1, spark.width * 100 - 0.5)}
          height={Math.max(1, height * 19)}
        />
      ))}
    </svg>
  );
}
