/** Development, staging, production side by side, and signs that traces are labelled wrongly. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { ApiError } from "../../api/client";
import { useLastAnswer } from "../../api/lastAnswer";
import { useScope } from "../../api/scope";
import type { EnvironmentOverview, EnvironmentRow } from "../../api/types";
import { environmentsQuery, versionsQuery } from "../../api/versions";
import { ExperimentChoice } from "../../components/ExperimentChoice";
import { Advice, Body, Bones, Page, Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { Shortcuts } from "../../components/Shortcuts";
import small from "../../components/small.module.css";
import table from "../../components/Table.module.css";
import { TimeMenu } from "../../components/TimeMenu";
import { formatValue } from "../../model/comparison";
import { listMeasures } from "../../model/environments";
import { formatCost, formatCount, formatNumberOf, shortenCommit } from "../../model/format";
import type { Bounds } from "../../model/time";
import { lookUp, nameVersion } from "../../model/versions";
import { Link, navigate } from "../../router";
import { buildTracesUrl } from "../traces/url";
import { buildVersionsUrl, buildVersionUrl } from "../versions/url";
import { Commit, Moment } from "../versions/VersionTable";
import styles from "./EnvironmentsPage.module.css";
import { buildEnvironmentsUrl, type EnvironmentsView } from "./url";

export default function EnvironmentsPage({ view }: { view: EnvironmentsView }) {
  const { scope, restart } = useScope({ ...view, filter: "" });
  const query = useQuery(environmentsQuery(view.version, view.experimentIds, scope.bounds));
  const found = useLastAnswer(query.data);
  const queries = useQueryClient();
  const again = (): void => {
    restart();
    for (const key of ["environments", "versions"]) void queries.invalidateQueries({ queryKey: [key] });
  };
  const isRefused =
    query.error instanceof ApiError && (query.error.status === 404 || query.error.status === 400);
  return (
    <>
      <title>{`${view.version === null ? "" : `${view.version} · `}Environments · Whence`}</title>
      <Shortcuts table={[{ keys: ["r"], does: "Ask again", run: again }]} />
      <Page controls={<Controls view={view} bounds={scope.bounds} found={found} />}>
        {query.error === null ? null : isRefused ? (
          <Advice title="There is no such version">
            <p>{query.error.message}</p>
            <p>
              <Link href={buildEnvironmentsUrl({ ...view, version: null })}>All versions</Link>
            </p>
          </Advice>
        ) : (
          <Problem error={query.error} onRetry={again} />
        )}
        {found === undefined && query.error === null ? <Bones label="Loading environments" /> : null}
        {found === undefined || query.error !== null ? null : (
          <Body isStale={query.isPlaceholderData}>
            <h1 className={styles.title}>
              {found.version === null ? "All versions" : <bdi>{shortenCommit(found.version)}</bdi>}
              {found.version === null ? null : (
                <Link href={buildVersionUrl({ ...view, version: found.version })}>What it is made of</Link>
              )}
            </h1>
            {found.environments.length === 0 ? <NoTraces view={view} /> : <SideBySide found={found} view={view} />}
            {found.notes.map((note) => (
              <p key={note} className={table.note}>
                {note}
              </p>
            ))}
            {found.environments.length === 0 ? null : <Hints found={found} view={view} />}
          </Body>
        )}
      </Page>
    </>
  );
}

interface ControlsProps {
  view: EnvironmentsView;
  bounds: Bounds;
  found: EnvironmentOverview | undefined;
}

function Controls({ view, bounds, found }: ControlsProps) {
  const { data } = useQuery(versionsQuery({ environment: null, experimentIds: view.experimentIds, bounds }));
  const rows = (data?.versions ?? []).flatMap((row) => {
    const name = lookUp(row);
    return name === null ? [] : [{ name, title: nameVersion(row), traces: row.traces }];
  });
  const { version } = view;
  return (
    <>
      <ExperimentChoice
        experimentIds={view.experimentIds}
        hrefOf={(experimentIds) => buildEnvironmentsUrl({ ...view, experimentIds })}
      />
      <select
        aria-label="Version"
        className={small.choice}
        value={version ?? ""}
        onChange={(event) => {
          const name = event.target.value;
          navigate(buildEnvironmentsUrl({ ...view, version: name === "" ? null : name }));
        }}
      >
        <option value="">All versions</option>
        {version === null || rows.some(({ name }) => name === version) ? null : (
          <option value={version}>{shortenCommit(version)}</option>
        )}
        {rows.map(({ name, title, traces }) => (
          <option key={name} value={name}>
            {title} ({formatCount(traces)})
          </option>
        ))}
      </select>
      <TimeMenu
        time={view.time}
        bounds={bounds}
        hrefOf={(time) => buildEnvironmentsUrl({ ...view, time })}
      />
      <span className={styles.elapsed}>
        {found === undefined ? null : `${found.elapsed_ms.toFixed(0)} ms`}
      </span>
    </>
  );
}

function tracesHref(filter: string, { experimentIds, time }: EnvironmentsView): string {
  return buildTracesUrl({ filter, experimentIds, time });
}

/** One measure a row, one environment a column. */
function SideBySide({ found, view }: { found: EnvironmentOverview; view: EnvironmentsView }) {
  const measures = listMeasures(found.environments);
  return (
    <Section
      title="Side by side"
      aside={<span className={table.soft}>{formatNumberOf(found.environments.length, "environment")}</span>}
    >
      {/* Many environments scroll sideways; the focus lets the keyboard do that. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div className={styles.scroll} data-scrolls tabIndex={0} role="region" aria-label="Environments side by side">
        <table className={styles.sides}>
          <thead>
            <tr>
              <th scope="col">
                <span className="visually-hidden">Measure</span>
              </th>
              {found.environments.map((one) => (
                <th key={one.environment ?? ""} scope="col">
                  <EnvironmentName one={one} view={view} />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {measures.map((measure) => (
              <tr key={measure.title}>
                <th scope="row">{measure.title}</th>
                {found.environments.map((one) => (
                  <td key={one.environment ?? ""}>
                    <Cell one={one} name={measure.title} view={view} text={measure.text(one)} />
                  </td>
                ))}
              </tr>
            ))}
            <Facts found={found} />
          </tbody>
        </table>
      </div>
    </Section>
  );
}

function EnvironmentName({ one, view }: { one: EnvironmentRow; view: EnvironmentsView }) {
  if (one.environment === null) return <>none named</>;
  return (
    <Link href={buildVersionsUrl({ ...view, environment: one.environment })} title={one.environment}>
      <bdi>{one.environment}</bdi>
    </Link>
  );
}

interface CellProps {
  one: EnvironmentRow;
  name: string;
  view: EnvironmentsView;
  text: string;
}

/** Counts lead to their traces. */
function Cell({ one, name, view, text }: CellProps): ReactNode {
  const filter = one.filter_string;
  if (filter === null) return text;
  if (name === "Traces") return <Link href={tracesHref(filter, view)}>{text}</Link>;
  if (name === "Error rate" && one.errors > 0) {
    return <Link href={tracesHref(`${filter} AND state = 'ERROR'`, view)}>{text}</Link>;
  }
  return text;
}

/** What no number says: commits, manifests, spellings, the last trace. */
function Facts({ found }: { found: EnvironmentOverview }) {
  const rows: [string, (one: EnvironmentRow) => ReactNode][] = [
    ["Tokens a trace", (one) => formatValue(one.tokens_per_trace, "")],
    ["Cost a trace", (one) => formatCost(one.cost_usd_per_trace)],
    ["Commit", (one) => <Commit row={one} />],
    [
      "Manifest",
      (one) =>
        one.manifests[0] === undefined ? (
          "–"
        ) : (
          <code title={one.manifests[0].digest}>
            {one.manifests[0].digest.slice(0, 8)}
            {one.manifest_count > 1 ? ` +${one.manifest_count - 1}` : ""}
          </code>
        ),
    ],
    [
      "Written as",
      (one) =>
        one.spellings.length === 0 ? "–" : one.spellings.map(({ value }) => value).join(", "),
    ],
    ["Last trace", (one) => <Moment ms={one.last_seen_ms} />],
  ];
  return (
    <>
      {rows.map(([title, show]) => (
        <tr key={title}>
          <th scope="row">{title}</th>
          {found.environments.map((one) => (
            <td key={one.environment ?? ""}>{show(one)}</td>
          ))}
        </tr>
      ))}
    </>
  );
}

function Hints({ found, view }: { found: EnvironmentOverview; view: EnvironmentsView }) {
  return (
    <Section title="Signs of wrong labels">
      {found.hints.length === 0 ? (
        <p className={table.none}>Nothing suggests that traces are labelled wrongly.</p>
      ) : (
        <ul className={styles.hints}>
          {found.hints.map((hint) => (
            <li key={`${hint.kind} ${hint.environment} ${hint.version}`}>
              <p>
                <b aria-hidden="true">!</b> {hint.text.charAt(0).toUpperCase() + hint.text.slice(1)}.
              </p>
              <p className={styles.mend}>To mend it: {hint.mend}.</p>
              <p>
                {hint.values.slice(0, 5).map(({ value, count }) => (
                  <span key={value} className={styles.value}>
                    <code>{shortenCommit(value)}</code> {formatCount(count)}
                  </span>
                ))}
                <Link href={tracesHref(hint.filter_string, view)}>
                  Show {formatNumberOf(hint.traces, "trace")}
                </Link>
              </p>
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

function NoTraces({ view }: { view: EnvironmentsView }) {
  const isNarrow = view.version !== null || view.time.kind !== "all" || view.experimentIds.length > 0;
  return (
    <Advice title="No trace here">
      <p>
        {isNarrow ? (
          <Link href={buildEnvironmentsUrl()}>Look at all versions and times</Link>
        ) : (
          <>
            Traces name where they ran: <code>ENVIRONMENT=staging python app.py</code>.
          </>
        )}
      </p>
    </Advice>
  );
}
