/** Every metric with its verdict, worst first, and its interval drawn against its margin. */

import { Fragment, useId, useState } from "react";

import type { Comparison, MetricComparison } from "../../api/types";
import { VerdictMark } from "../../components/VerdictMark";
import {
  countMissing,
  describeInterval,
  formatEffect,
  formatInterval,
  formatMargin,
  formatValue,
  nameMetric,
  placeInterval,
  readVerdict,
  sortWorstFirst,
} from "../../model/comparison";
import { formatCount } from "../../model/format";
import { Link } from "../../router";
import { useTracesHref } from "./links";
import styles from "./MetricTable.module.css";

const ROUNDING = 1e-9;

export function MetricTable({ found }: { found: Comparison }) {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const toggle = (metric: string): void => {
    const next = new Set(open);
    if (!next.delete(metric)) next.add(metric);
    setOpen(next);
  };
  return (
    <table className={styles.metrics} aria-label="Metrics, the worst first">
      <thead>
        <tr>
          <th scope="col">Verdict</th>
          <th scope="col">Metric</th>
          <th scope="col" className={styles.number}>
            Baseline
          </th>
          <th scope="col" className={styles.number}>
            Candidate
          </th>
          <th scope="col" className={styles.number}>
            Change
          </th>
          <th scope="col" className={styles.plotHead}>
            <span>better</span>
            <span>margin</span>
            <span>worse</span>
          </th>
          <th scope="col" className={styles.number}>
            Margin
          </th>
          <th scope="col" className={styles.number}>
            n
          </th>
        </tr>
      </thead>
      <tbody>
        {sortWorstFirst(found.metrics).map((one) => (
          <Fragment key={one.metric}>
            <MetricRow one={one} isOpen={open.has(one.metric)} onToggle={() => toggle(one.metric)} />
          </Fragment>
        ))}
      </tbody>
    </table>
  );
}

interface MetricRowProps {
  one: MetricComparison;
  isOpen: boolean;
  onToggle: () => void;
}

function MetricRow({ one, isOpen, onToggle }: MetricRowProps) {
  const hrefOf = useTracesHref();
  const id = useId();
  const missing = countMissing(one);
  return (
    <>
      <tr data-verdict={readVerdict(one.verdict)}>
        <td className={styles.verdict}>
          <VerdictMark verdict={one.verdict} />
          {missing === null ? null : (
            <small title={`About ${formatCount(one.needed)} independent traces in each version`}>
              needs {formatCount(missing)} more in each
            </small>
          )}
        </td>
        <th scope="row">
          <button type="button" aria-expanded={isOpen} aria-controls={id} onClick={onToggle}>
            <svg viewBox="0 0 8 8" width="8" height="8" aria-hidden="true">
              <path d="M2 1l4 3-4 3" fill="none" stroke="currentColor" strokeWidth="1.4" />
            </svg>
            {nameMetric(one.metric)}
          </button>
          {one.guard ? null : (
            <small title="No part of the verdict: its level is not shared with the others">explored</small>
          )}
        </th>
        <td className={styles.number} data-title="Baseline">
          <Link href={hrefOf(one.baseline_filter)}>{formatValue(one.baseline, one.unit)}</Link>
        </td>
        <td className={styles.number} data-title="Candidate">
          <Link href={hrefOf(one.candidate_filter)}>{formatValue(one.candidate, one.unit)}</Link>
        </td>
        <td className={styles.number} data-title="Change">
          <b>{formatEffect(one.effect, one)}</b>
          <small>{formatInterval(one)}</small>
        </td>
        <td className={styles.plot}>
          <IntervalPlot one={one} />
        </td>
        <td className={styles.number} data-title="Margin">
          {formatMargin(one)}
        </td>
        <td className={styles.number} data-title="n" title="Independent traces of each version">
          {formatCount(one.units_baseline)} / {formatCount(one.units_candidate)}
        </td>
      </tr>
      <tr id={id} className={styles.detail} hidden={!isOpen}>
        <td colSpan={8}>{isOpen ? <Detail one={one} /> : null}</td>
      </tr>
    </>
  );
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`;
}

function IntervalPlot({ one }: { one: MetricComparison }) {
  const placed = placeInterval(one);
  if (placed === null) return <span className={styles.none}>no interval</span>;
  const [from, to] = placed.margin;
  return (
    <div
      className={styles.interval}
      role="img"
      aria-label={describeInterval(one)}
      title={describeInterval(one)}
    >
      <span className={styles.band} style={{ left: percent(from), width: percent(to - from) }} />
      <span className={styles.zero} />
      <span
        className={styles.reach}
        data-open={placed.isOpen.map((isOpen) => (isOpen ? "1" : "0")).join("")}
        style={{ left: percent(placed.low), width: percent(placed.high - placed.low) }}
      />
      <span className={styles.dot} style={{ left: percent(placed.at) }} />
    </div>
  );
}

function Detail({ one }: { one: MetricComparison }) {
  const facts: [string, string | null][] = [
    ["Why", one.reason === "" ? null : one.reason],
    ["Method", one.method],
    [
      one.guard ? "p, adjusted (Holm)" : "q-value",
      one.p_adjusted === null ? null : one.p_adjusted.toPrecision(2),
    ],
    ["Smallest change that would show", one.detectable === null ? null : formatEffect(one.detectable, one)],
    ["Traces", `${formatCount(one.n_baseline)} and ${formatCount(one.n_candidate)}`],
    ["Compared like with like", `${(one.coverage * 100).toFixed(1)} %`],
    [
      "Plain difference",
      one.difference === null
        ? null
        : `${formatValue(one.difference, one.unit)}${
            one.mix === null || one.within === null
              ? ""
              : `: ${formatValue(one.within, one.unit)} by the version, ${formatValue(one.mix, one.unit)} by other traffic${
                  one.uncovered === null || Math.abs(one.uncovered) < ROUNDING
                    ? ""
                    : `, ${formatValue(one.uncovered, one.unit)} by traces that only one version has the like of`
                }`
          }`,
    ],
  ];
  return (
    <dl>
      {facts.map(([name, text]) =>
        text === null ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ),
      )}
    </dl>
  );
}
