/** What came out, in one line; both sides with their traces; and what makes it doubtful. */

import { useQuery } from "@tanstack/react-query";

import { type VersionScope, versionsQuery } from "../../api/versions";
import type { Arm, Comparison } from "../../api/types";
import { VerdictMark } from "../../components/VerdictMark";
import { kindOf, shortenArm } from "../../model/arms";
import { formatValue, nameMetric } from "../../model/comparison";
import { formatCount, formatNumberOf } from "../../model/format";
import { writeMoment } from "../../model/time";
import { Link, useIsPage } from "../../router";
import { buildVersionDiffUrl } from "../versions/url";
import { useTracesHref } from "./links";
import styles from "./Verdict.module.css";

interface VerdictProps {
  found: Comparison;
  scope: VersionScope;
}

export function Verdict({ found, scope }: VerdictProps) {
  const diff = buildVersionDiffUrl({
    before: found.baseline.asked,
    after: found.candidate.asked,
    experimentIds: scope.experimentIds,
  });
  const hasDiff =
    useIsPage(diff) && [found.baseline, found.candidate].every(({ kind }) => kind !== "filter" && kind !== "branch");
  return (
    <header className={styles.verdict}>
      <h1>
        <VerdictMark verdict={found.verdict} isLarge />
      </h1>
      <p className={styles.summary}>{found.summary}</p>
      <table className={styles.arms}>
        <thead>
          <tr>
            <th scope="col">Side</th>
            <th scope="col">Traces</th>
            <th scope="col">Independent</th>
            <th scope="col">Unfinished</th>
            <th scope="col">Commit</th>
            <th scope="col">First – last trace</th>
          </tr>
        </thead>
        <tbody>
          <Side side="Baseline" arm={found.baseline} scope={scope} />
          <Side side="Candidate" arm={found.candidate} scope={scope} />
        </tbody>
      </table>
      {hasDiff ? (
        <p className={styles.diff}>
          <Link href={diff}>What changed between the two: commits, packages, prompts, models</Link>
        </p>
      ) : null}
      <Notes found={found} />
    </header>
  );
}

function Side({ side, arm, scope }: { side: string; arm: Arm; scope: VersionScope }) {
  const hrefOf = useTracesHref();
  const versions = useQuery(versionsQuery(scope));
  const row = versions.data?.versions.find(
    (one) => arm.kind === "app_version" && one.app_version === arm.asked,
  );
  const commit = row?.commits[0]?.commit;
  const kind = kindOf(arm.kind);
  return (
    <tr>
      <th scope="row" data-side={side}>
        <i aria-hidden="true" />
        <span>{side}</span>
        <b>
          <bdi title={arm.asked}>{shortenArm({ kind, value: arm.asked })}</bdi>
        </b>
        {kind === "version" ? null : <small>{kind}</small>}
      </th>
      <td data-title="Traces">
        <Link href={hrefOf(arm.filter_string)}>{formatCount(arm.traces)}</Link>
        {arm.used < arm.traces ? <small> {formatCount(arm.used)} sampled</small> : null}
      </td>
      <td data-title="Independent" title="Sessions, else users, else traces">
        {formatCount(arm.units)}
      </td>
      <td data-title="Unfinished">
        {arm.unfinished === 0 ? (
          "0"
        ) : (
          <Link href={hrefOf(arm.unfinished_filter)}>{formatCount(arm.unfinished)}</Link>
        )}
      </td>
      <td data-title="Commit">
        {commit === undefined ? (
          "–"
        ) : (
          <code title={commit}>
            {commit.slice(0, 7)}
            {(row?.dirty ?? 0) > 0 ? <span title="Some traces came from uncommitted code">*</span> : null}
            {(row?.commit_count ?? 0) > 1 ? ` +${(row?.commit_count ?? 1) - 1}` : ""}
          </code>
        )}
      </td>
      <td data-title="First – last">
        {arm.first_seen_ms === null || arm.last_seen_ms === null
          ? "–"
          : describeSpan(arm.first_seen_ms, arm.last_seen_ms)}
      </td>
    </tr>
  );
}

function describeSpan(fromMs: number, untilMs: number): string {
  const [from, until] = [writeMoment(fromMs).slice(0, 16), writeMoment(untilMs).slice(0, 16)];
  if (from === until) return from;
  return `${from} – ${from.slice(0, 10) === until.slice(0, 10) ? until.slice(11) : until}`;
}

/** How far the numbers reach: strata, coverage, sampling, other traffic. */
function Notes({ found }: { found: Comparison }) {
  const by = found.strata_by.map((one) => one.replaceAll("_", " ")).join(", ");
  const population =
    found.baseline.traces === 0 || found.candidate.traces === 0
      ? []
      : [
          `Like with like: ${formatNumberOf(found.strata, found.strata === 1 ? "stratum" : "strata").replace(/stratas$/, "strata")} of ${by || "nothing"} cover ${(found.coverage * 100).toFixed(found.coverage === 1 ? 0 : 1)} % of the candidate's traces; ${(found.confidence * 100).toFixed(0)} % intervals, jointly for what decides.`,
        ];
  return (
    <ul className={styles.notes} aria-label="Notes">
      {found.notes.map((note) => (
        <li key={note} data-kind="doubt">
          {note.charAt(0).toUpperCase() + note.slice(1)}.
        </li>
      ))}
      {describeMix(found).map((note) => (
        <li key={note}>{note}</li>
      ))}
      {population.map((note) => (
        <li key={note}>{note}</li>
      ))}
    </ul>
  );
}

const NOTABLE_MIX = 0.2;

/** Metrics whose plain difference other traffic made a good part of. */
function describeMix(found: Comparison): string[] {
  return found.metrics.flatMap((one) => {
    const { difference, mix } = one;
    if (!one.guard || difference === null || mix === null || one.margin === 0) return [];
    if (Math.abs(mix) < NOTABLE_MIX * Math.abs(difference) || one.verdict === "equivalent") return [];
    if (Math.abs(mix) < 1e-9) return [];
    return [
      `Of the plain difference in ${nameMetric(one.metric)} (${formatValue(difference, one.unit)}), other traffic made ${formatValue(mix, one.unit)}; the verdict leaves that out.`,
    ];
  });
}
