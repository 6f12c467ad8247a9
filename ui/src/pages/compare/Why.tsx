/** Where the difference comes from: spans, errors, what only one side does, and shared values. */

import type { Comparison, ErrorSignature, Explanation } from "../../api/types";
import table from "../../components/Table.module.css";
import { SpanSign } from "../../components/SpanSign";
import { formatValue } from "../../model/comparison";
import { formatCount } from "../../model/format";
import { boundsOf, describeEffect, describeShare, formatCalls, formatShift, placeOn } from "../../model/why";
import { Link, useIsPage } from "../../router";
import { buildTraceUrl } from "../trace/url";
import { useTracesHref } from "./links";
import styles from "./Why.module.css";

export function Spans({ why }: { why: Explanation }) {
  const hrefOf = useTracesHref();
  const [low, high] = boundsOf(why.spans);
  if (why.spans.length === 0) return <p className={table.none}>No spans of comparable traces were found.</p>;
  return (
    <>
      <table className={table.table} aria-label="Own time of spans on the critical path">
        <thead>
          <tr>
            <th scope="col">Span</th>
            <th scope="col" className={table.number}>
              Baseline
            </th>
            <th scope="col" className={table.number}>
              Candidate
            </th>
            <th scope="col" className={styles.plotHead}>
              Change a trace
            </th>
            <th scope="col" className={table.number}>
              Share
            </th>
            <th scope="col" className={table.number}>
              Calls a trace
            </th>
          </tr>
        </thead>
        <tbody>
          {why.spans.map((one) => (
            <tr key={one.name}>
              <th scope="row">
                <SpanSign spanType={one.span_type} />
                <bdi title={one.name}>{one.name}</bdi>
              </th>
              <td className={table.number} data-title="Baseline">
                <Link href={hrefOf(one.baseline_filter)}>{formatValue(one.baseline_ms, "ms")}</Link>
              </td>
              <td className={table.number} data-title="Candidate">
                <Link href={hrefOf(one.candidate_filter)}>{formatValue(one.candidate_ms, "ms")}</Link>
              </td>
              <td className={styles.effect} title={describeEffect(one)}>
                <span>{formatShift(one.difference_ms)}</span>
                <div className={styles.bars} aria-hidden="true">
                  <i className={styles.zero} style={{ left: placeOn(0, low, high) }} />
                  <i
                    className={styles.bar}
                    data-worse={one.difference_ms > 0}
                    style={{
                      left: placeOn(Math.min(0, one.difference_ms), low, high),
                      right: `calc(100% - ${placeOn(Math.max(0, one.difference_ms), low, high)})`,
                    }}
                  />
                  {one.low_ms === null || one.high_ms === null ? null : (
                    <i
                      className={styles.reach}
                      style={{
                        left: placeOn(one.low_ms, low, high),
                        right: `calc(100% - ${placeOn(one.high_ms, low, high)})`,
                      }}
                    />
                  )}
                </div>
              </td>
              <td className={table.number} data-title="Share">
                {describeShare(one.share)}
              </td>
              <td className={table.number} data-title="Calls a trace">
                {formatCalls(one.baseline_calls, one.candidate_calls)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className={table.note}>
        A span's own time on the critical path; the changes add up to the whole. Read from{" "}
        {formatCount(why.baseline_traces)} and {formatCount(why.candidate_traces)} traces
        {why.sampled ? ", a fixed sample" : ""}; the dark line is the 95 % interval.
      </p>
      <ul className={table.list}>
        {why.presence.map((one) => (
          <li key={`${one.change} ${one.name}`}>
            <b>{one.change === "added" ? "New span" : "Gone"}</b>{" "}
            <code>
              <bdi>{one.name}</bdi>
            </code>
            : in <Link href={hrefOf(one.filter_string)}>{(one.traces * 100).toFixed(0)} % of the traces</Link>
          </li>
        ))}
        {why.shapes.map((one) => (
          <li key={one.description}>
            {one.description}: {formatCalls(one.baseline, one.candidate)} a trace
          </li>
        ))}
      </ul>
    </>
  );
}

export function Values({ why }: { why: Explanation }) {
  const hrefOf = useTracesHref();
  if (why.overrepresented.length === 0) {
    return (
      <p className={table.none}>
        No metadata value stands out among the candidate's slow or failed traces.
      </p>
    );
  }
  return (
    <table className={table.table} aria-label="Values frequent among slow or failed traces">
      <thead>
        <tr>
          <th scope="col">Value</th>
          <th scope="col">Among</th>
          <th scope="col" className={table.number}>
            Of these
          </th>
          <th scope="col" className={table.number}>
            Of the rest
          </th>
          <th scope="col" className={table.number}>
            Explains
          </th>
          <th scope="col" className={table.number}>
            Traces
          </th>
        </tr>
      </thead>
      <tbody>
        {why.overrepresented.map((one) => (
          <tr key={`${one.selected} ${one.field} ${one.value}`}>
            <th scope="row">
              <span className={table.soft}>{one.field}</span>
              <bdi title={one.value}>{one.value}</bdi>
            </th>
            <td data-title="Among">{one.selected} traces</td>
            <td className={table.number} data-title="Of these">
              {(one.share_selected * 100).toFixed(0)} %
            </td>
            <td className={table.number} data-title="Of the rest">
              {(one.share_rest * 100).toFixed(0)} %
            </td>
            <td className={table.number} data-title="Explains">
              {(one.explained * 100).toFixed(0)} %
            </td>
            <td className={table.number} data-title="Traces">
              <Link href={hrefOf(one.filter_string)}>{formatCount(one.support)}</Link>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Errors({ found }: { found: Comparison }) {
  if (found.errors.length === 0) return <p className={table.none}>No span of either side failed.</p>;
  return (
    <table className={table.table} aria-label="Errors that were alike">
      <thead>
        <tr>
          <th scope="col">Error</th>
          <th scope="col">Span</th>
          <th scope="col">Status</th>
          <th scope="col" className={table.number}>
            Baseline
          </th>
          <th scope="col" className={table.number}>
            Candidate
          </th>
          <th scope="col">Example</th>
        </tr>
      </thead>
      <tbody>
        {found.errors.map((one) => (
          <ErrorRow key={`${one.type} ${one.message} ${one.span}`} one={one} />
        ))}
      </tbody>
    </table>
  );
}

const BAD = new Set(["new", "more"]);

function ErrorRow({ one }: { one: ErrorSignature }) {
  const hrefOf = useTracesHref();
  return (
    <tr>
      <th scope="row" className={table.wide}>
        <bdi>
          {one.type === "" ? null : <b>{one.type}: </b>}
          {one.message}
        </bdi>
      </th>
      <td data-title="Span">
        <bdi>{one.span}</bdi>
      </td>
      <td data-title="Status" className={BAD.has(one.status) ? table.bad : table.soft}>
        {BAD.has(one.status) ? "▲ " : one.status === "gone" || one.status === "fewer" ? "▼ " : ""}
        {one.status}
      </td>
      <td className={table.number} data-title="Baseline">
        <Link href={hrefOf(one.baseline_filter)}>{formatCount(one.baseline)}</Link>
      </td>
      <td className={table.number} data-title="Candidate">
        <Link href={hrefOf(one.candidate_filter)}>{formatCount(one.candidate)}</Link>
      </td>
      <td data-title="Example">
        {one.example === null || one.example === undefined ? (
          "–"
        ) : (
          <Link href={buildTraceUrl({ traceId: one.example })}>one trace</Link>
        )}
      </td>
    </tr>
  );
}

export function Exemplars({ why }: { why: Explanation }) {
  if (why.exemplars.length === 0) return <p className={table.none}>No pair of traces was found.</p>;
  return (
    <table className={table.table} aria-label="Pairs of traces">
      <thead>
        <tr>
          <th scope="col">Pair</th>
          <th scope="col">Why alike</th>
          <th scope="col" className={table.number}>
            Baseline
          </th>
          <th scope="col" className={table.number}>
            Candidate
          </th>
        </tr>
      </thead>
      <tbody>
        {why.exemplars.map((pair) => (
          <tr key={`${pair.baseline} ${pair.candidate}`}>
            <th scope="row">
              <PairLink baseline={pair.baseline} candidate={pair.candidate} reason={pair.reason} />
            </th>
            <td data-title="Why alike">{pair.basis}</td>
            <td className={table.number} data-title="Baseline">
              <Link href={buildTraceUrl({ traceId: pair.baseline })} title={pair.baseline}>
                {formatValue(pair.baseline_ms, "ms")}
              </Link>
            </td>
            <td className={table.number} data-title="Candidate">
              <Link href={buildTraceUrl({ traceId: pair.candidate })} title={pair.candidate}>
                {formatValue(pair.candidate_ms, "ms")}
              </Link>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function PairLink({ baseline, candidate, reason }: { baseline: string; candidate: string; reason: string }) {
  const href = `/diff/${encodeURIComponent(baseline)}...${encodeURIComponent(candidate)}`;
  const said = reason === "failed" ? "a failed trace" : "a slow trace";
  return useIsPage(href) ? (
    <Link href={href}>Side by side: {said}</Link>
  ) : (
    <Link href={buildTraceUrl({ traceId: candidate })}>{said}</Link>
  );
}
