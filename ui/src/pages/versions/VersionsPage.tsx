/** Every version of every environment, the newest on top; choose two to compare them. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { useLastAnswer } from "../../api/lastAnswer";
import { useScope } from "../../api/scope";
import type { Finding } from "../../api/types";
import { findingsQuery, versionsQuery } from "../../api/versions";
import { EnvironmentChoice } from "../../components/EnvironmentChoice";
import { ExperimentChoice } from "../../components/ExperimentChoice";
import { Advice, Body, Bones, Page, Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { Shortcuts } from "../../components/Shortcuts";
import { TimeMenu } from "../../components/TimeMenu";
import { readArm } from "../../model/arms";
import { formatCount, formatNumberOf } from "../../model/format";
import type { Shortcut } from "../../model/shortcuts";
import { ALL_TIME } from "../../model/time";
import { armOf, groupByEnvironment, lookUp, orderChosen, toggleChosen } from "../../model/versions";
import { Link, navigate } from "../../router";
import { buildCompareUrl } from "../compare/url";
import { buildVersionDiffUrl, buildVersionsUrl, buildVersionUrl, type VersionsView } from "./url";
import { VersionTable } from "./VersionTable";
import styles from "./VersionsPage.module.css";

const MOST_AT_FIRST = 100;
const MOST_VERSIONS = 1000;
const NO_FINDINGS: readonly Finding[] = [];

export default function VersionsPage({ view }: { view: VersionsView }) {
  const { scope, restart } = useScope({ ...view, filter: "" });
  const [most, setMost] = useState(MOST_AT_FIRST);
  const query = useQuery(
    versionsQuery({ ...view, bounds: scope.bounds }, { byEnvironment: true, quality: true, most }),
  );
  const found = useLastAnswer(query.data);
  const isCut = found !== undefined && found.versions.length < found.total;
  const findings = useQuery(findingsQuery(view.experimentIds)).data?.findings ?? NO_FINDINGS;
  const queries = useQueryClient();
  const groups = useMemo(() => groupByEnvironment(found?.versions ?? []), [found]);
  const again = (): void => {
    restart();
    for (const key of ["versions", "series", "findings"]) {
      void queries.invalidateQueries({ queryKey: [key] });
    }
  };
  const walk = useWalk(view, groups);
  const pair = useChosen(view, groups);
  const shortcuts: Shortcut[] = [
    ...walk.shortcuts,
    ...(pair === null
      ? []
      : [{ keys: ["c"], does: "Compare the two chosen", run: () => navigate(pair.compare) }]),
    { keys: ["r"], does: "Ask again", run: again },
  ];
  return (
    <>
      <title>Versions · Whence</title>
      <Shortcuts table={shortcuts} />
      <Page controls={<Controls view={view} bounds={scope.bounds} found={found} />}>
        {query.error === null ? null : <Problem error={query.error} onRetry={again} />}
        {found === undefined && query.error === null ? <Bones label="Loading versions" /> : null}
        {found === undefined ? null : (
          <Body isStale={query.isPlaceholderData || query.error !== null}>
            <h1 className="visually-hidden">Versions</h1>
            {groups.length === 0 ? <NoVersions view={view} /> : null}
            {groups.map((group) => (
              <Section
                key={group.environment ?? ""}
                title={group.environment ?? "No environment"}
                aside={
                  <span className={styles.aside}>
                    {isCut ? "the newest " : ""}
                    {formatNumberOf(group.rows.length, "version")}, {formatNumberOf(group.traces, "trace")}
                  </span>
                }
              >
                <VersionTable
                  rows={group.rows}
                  environment={group.environment}
                  scope={scope}
                  findings={findings}
                  activeKey={walk.activeKey}
                  chosen={view.chosenIn === (group.environment ?? null) ? view.chosen : []}
                  chooseHref={(arm) => chooseHref(view, group.environment, arm)}
                />
              </Section>
            ))}
            {isCut ? (
              <p className={styles.more}>
                Showing {formatCount(found.versions.length)} of {formatCount(found.total)}, the newest.{" "}
                {most < MOST_VERSIONS ? (
                  <button
                    type="button"
                    className="quiet-button"
                    disabled={query.isPlaceholderData}
                    onClick={() => setMost(MOST_VERSIONS)}
                  >
                    Show more
                  </button>
                ) : (
                  "Choose an environment or a time to see the others."
                )}
              </p>
            ) : null}
          </Body>
        )}
        {pair === null && view.chosen.length === 0 ? null : <Chosen view={view} pair={pair} />}
      </Page>
    </>
  );
}

interface ControlsProps {
  view: VersionsView;
  bounds: Parameters<typeof TimeMenu>[0]["bounds"];
  found: { elapsed_ms: number } | undefined;
}

function Controls({ view, bounds, found }: ControlsProps) {
  return (
    <>
      <ExperimentChoice
        experimentIds={view.experimentIds}
        hrefOf={(experimentIds) => buildVersionsUrl({ ...view, experimentIds })}
      />
      <EnvironmentChoice
        environment={view.environment}
        experimentIds={view.experimentIds}
        hrefOf={(environment) => buildVersionsUrl({ ...view, environment })}
      />
      <TimeMenu
        time={view.time}
        bounds={bounds}
        hrefOf={(time) => buildVersionsUrl({ ...view, time })}
      />
      <span className={styles.elapsed}>
        {found === undefined ? null : `${found.elapsed_ms.toFixed(0)} ms`}
      </span>
    </>
  );
}

function chooseHref(view: VersionsView, environment: string | null, arm: string): string {
  const before = view.chosenIn === environment ? view.chosen : [];
  return buildVersionsUrl({ ...view, chosen: toggleChosen(before, arm), chosenIn: environment });
}

type Groups = ReturnType<typeof groupByEnvironment>;

/** Where the keyboard is. */
function useWalk(view: VersionsView, groups: Groups) {
  const [activeKey, setActiveKey] = useState<string | null>(null);
  const rows = groups.flatMap(({ environment, rows: own }) =>
    own.map((row) => ({ environment, row, key: `${environment} ${armOf(row)}` })),
  );
  const at = rows.findIndex(({ key }) => key === activeKey);
  const step = (by: number): void => {
    setActiveKey(rows[Math.min(rows.length - 1, Math.max(0, at + by))]?.key ?? null);
  };
  const active = rows[at];
  const shortcuts: Shortcut[] = [
    { keys: ["j", "ArrowDown"], does: "Next version", run: () => step(1) },
    { keys: ["k", "ArrowUp"], does: "Previous version", run: () => step(-1) },
    {
      keys: ["x"],
      does: "Choose the version",
      run: () => {
        const arm = active === undefined ? null : armOf(active.row);
        if (active !== undefined && arm !== null) {
          navigate(chooseHref(view, active.environment, arm), "replace");
        }
      },
    },
    {
      keys: ["Enter"],
      does: "Open the version",
      run: () => {
        const version = active === undefined ? null : lookUp(active.row);
        if (version !== null) navigate(buildVersionUrl({ ...view, version }));
      },
    },
  ];
  return { activeKey, shortcuts };
}

interface Pair {
  baseline: string;
  candidate: string;
  compare: string;
  diff: string;
}

function useChosen(view: VersionsView, groups: Groups): Pair | null {
  const group = groups.find(({ environment }) => environment === view.chosenIn);
  const ordered = group === undefined ? null : orderChosen(view.chosen, group.rows);
  if (ordered === null) return null;
  return {
    ...ordered,
    compare: buildCompareUrl({ ...view, ...ordered, environment: view.chosenIn }),
    diff: buildVersionDiffUrl({
      before: readArm(ordered.baseline).value,
      after: readArm(ordered.candidate).value,
      experimentIds: view.experimentIds,
    }),
  };
}

function Chosen({ view, pair }: { view: VersionsView; pair: Pair | null }) {
  return (
    <div className={styles.chosen} role="region" aria-label="Chosen versions">
      {pair === null ? (
        <span>
          <b>{view.chosen[0]}</b> is chosen: choose a second version to compare.
        </span>
      ) : (
        <>
          <span>
            <b>{pair.baseline}</b> → <b>{pair.candidate}</b>
          </span>
          <Link href={pair.compare} className="solid-button">
            Compare
          </Link>
          <Link href={pair.diff} className="quiet-button">
            What changed
          </Link>
        </>
      )}
      <Link href={buildVersionsUrl({ ...view, chosen: [] })} className="quiet-button">
        Clear
      </Link>
    </div>
  );
}

function NoVersions({ view }: { view: VersionsView }) {
  const isNarrow = view.environment !== null || view.time.kind !== "all" || view.experimentIds.length > 0;
  return (
    <Advice title="No version yet">
      {isNarrow ? (
        <p>
          No trace was found here.{" "}
          <Link href={buildVersionsUrl({ time: ALL_TIME })}>Look at all environments and times</Link>.
        </p>
      ) : (
        <p>
          Traces name the version they come from: <code>whence.configure(app_version="1.1.0")</code> or{" "}
          <code>APP_VERSION=1.1.0 ENVIRONMENT=production python app.py</code>; without one they are told
          apart by their commit.
        </p>
      )}
    </Advice>
  );
}
