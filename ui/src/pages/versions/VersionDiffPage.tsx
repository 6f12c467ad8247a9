/** What one version is made of that the other is not: commits, packages, prompts, models, parameters. */

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { ApiError } from "../../api/client";
import { useLastAnswer } from "../../api/lastAnswer";
import type { Counted, VersionDiff } from "../../api/types";
import { versionDiffQuery, versionsQuery } from "../../api/versions";
import { Advice, Body, Bones, Page, Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { Shortcuts } from "../../components/Shortcuts";
import small from "../../components/small.module.css";
import table from "../../components/Table.module.css";
import { formatBytes, formatCount, formatNumberOf, shortenCommit } from "../../model/format";
import { kindOfChange, lookUp, nameVersion, readDiff, writeAny } from "../../model/versions";
import { Link, navigate } from "../../router";
import { buildCompareUrl } from "../compare/url";
import { buildVersionDiffUrl, buildVersionsUrl, buildVersionUrl, type VersionDiffView } from "./url";
import styles from "./VersionDiffPage.module.css";

export default function VersionDiffPage({ view }: { view: VersionDiffView }) {
  const query = useQuery(versionDiffQuery(view.before, view.after, view));
  const found = useLastAnswer(query.data);
  const swapped = buildVersionDiffUrl({ ...view, before: view.after, after: view.before });
  const isRefused =
    query.error instanceof ApiError && (query.error.status === 404 || query.error.status === 400);
  return (
    <>
      <title>{`${view.before} → ${view.after} · Versions · Whence`}</title>
      <Shortcuts
        table={[
          { keys: ["s"], does: "Swap the two", run: () => navigate(swapped) },
          { keys: ["r"], does: "Ask again", run: () => void query.refetch() },
          { keys: ["Escape"], does: "Back to all versions", run: () => navigate(buildVersionsUrl(view)) },
        ]}
      />
      <Page controls={<Controls view={view} swapped={swapped} />}>
        {query.error === null ? null : isRefused ? (
          <Advice title="These can't be compared">
            <p>{query.error.message}</p>
          </Advice>
        ) : (
          <Problem error={query.error} onRetry={() => void query.refetch()} />
        )}
        {found === undefined && query.error === null ? <Bones label="Comparing what they are made of" /> : null}
        {found === undefined || query.error !== null ? null : (
          <Body isStale={query.isPlaceholderData}>
            <Changes found={found} view={view} />
          </Body>
        )}
      </Page>
    </>
  );
}

function Controls({ view, swapped }: { view: VersionDiffView; swapped: string }) {
  return (
    <>
      <Choice side="Before" value={view.before} view={view} hrefOf={(before) => buildVersionDiffUrl({ ...view, before })} />
      <Link href={swapped} className="quiet-button" title="Swap the two (s)">
        ⇄<span className="visually-hidden">Swap the two</span>
      </Link>
      <Choice side="After" value={view.after} view={view} hrefOf={(after) => buildVersionDiffUrl({ ...view, after })} />
      <Link
        className="solid-button"
        style={{ height: 36 }}
        href={buildCompareUrl({
          baseline: view.before,
          candidate: view.after,
          environment: view.environment,
          experimentIds: view.experimentIds,
        })}
      >
        Compare their traces
      </Link>
    </>
  );
}

interface ChoiceProps {
  side: string;
  value: string;
  view: VersionDiffView;
  hrefOf: (version: string) => string;
}

function Choice({ side, value, view, hrefOf }: ChoiceProps) {
  const { data } = useQuery(
    versionsQuery({ ...view, bounds: { sinceMs: null, untilMs: null } }),
  );
  const rows = (data?.versions ?? []).flatMap((row) => {
    const name = lookUp(row);
    return name === null ? [] : [{ name, title: nameVersion(row), traces: row.traces }];
  });
  return (
    <select
      aria-label={side}
      className={small.choice}
      value={value}
      onChange={(event) => navigate(hrefOf(event.target.value))}
    >
      {rows.some(({ name }) => name === value) ? null : <option value={value}>{shortenCommit(value)}</option>}
      {rows.map(({ name, title, traces }) => (
        <option key={name} value={name}>
          {title} ({formatCount(traces)})
        </option>
      ))}
    </select>
  );
}

type Change = VersionDiff["code"][number];

function Changes({ found, view }: { found: VersionDiff; view: VersionDiffView }) {
  const seen: [string, VersionDiff["tools"]][] = [
    ["Models asked for", found.models_requested],
    ["Models that answered", found.models_answered],
    ["Tools", found.tools],
    ["Spans", found.span_names],
  ];
  const hasSeen = seen.some(([, { only_before, only_after }]) => only_before.length + only_after.length > 0);
  return (
    <>
      <h1 className={styles.title}>
        <SideLink name={found.before.name} view={view} /> <span aria-hidden="true">→</span>
        <span className="visually-hidden"> to </span> <SideLink name={found.after.name} view={view} />
      </h1>
      <ul className={styles.notes} aria-label="Notes">
        {found.notes.map((note) => (
          <li key={note}>{note}</li>
        ))}
      </ul>
      <Commits found={found} />
      <ChangeList title="Dependencies" changes={found.dependencies} />
      <Prompts found={found} />
      <ChangeList title="Models" changes={found.models} />
      <ChangeList title="Parameters" changes={found.parameters} />
      {hasSeen ? (
        <Section title="Seen in traces">
          {seen.map(([name, { only_before: before, only_after: after }]) =>
            before.length + after.length === 0 ? null : (
              <div key={name} className={styles.seen}>
                <h3>{name}</h3>
                <SeenList mark="removed" values={before} />
                <SeenList mark="added" values={after} />
              </div>
            ),
          )}
        </Section>
      ) : null}
      <ChangeList title="Where it runs" changes={found.deployment} />
      <Same found={found} hasSeen={hasSeen} />
    </>
  );
}

function SideLink({ name, view }: { name: string; view: VersionDiffView }) {
  return (
    <Link href={buildVersionUrl({ ...view, version: name })}>
      <bdi>{shortenCommit(name)}</bdi>
    </Link>
  );
}

const ORDERS: Readonly<Record<string, string>> = {
  same: "the same commit",
  forward: "the second is newer",
  backward: "the second is older",
  diverged: "they have diverged",
  unknown: "how they lie to each other is not known",
};

function Commits({ found }: { found: VersionDiff }) {
  const { commits } = found;
  const between = commits.count === null || commits.count === 0 ? "" : `, ${formatNumberOf(commits.count, "commit")} apart`;
  return (
    <Section title="Code">
      {commits.before === null && commits.after === null ? (
        <p className={table.none}>No commit is known of either.</p>
      ) : (
        <p>
          <code title={commits.before ?? ""}>{commits.before?.slice(0, 10) ?? "no commit"}</code> →{" "}
          <code title={commits.after ?? ""}>{commits.after?.slice(0, 10) ?? "no commit"}</code>:{" "}
          {ORDERS[commits.order] ?? commits.order}
          {between}
        </p>
      )}
      <ChangeTable title="Code" changes={found.code} />
    </Section>
  );
}

/** What did not change, in one place: a card for each would hide the one that did. */
function Same({ found, hasSeen }: { found: VersionDiff; hasSeen: boolean }) {
  const said: [boolean, string][] = [
    [found.dependencies.length === 0, "The same distributions are installed."],
    [found.prompts.length === 0, "The same prompts are declared."],
    [found.models.length === 0, "The same models are declared."],
    [found.parameters.length === 0, "The same parameters are declared."],
    [!hasSeen, "The same models, tools and spans were seen."],
    [found.deployment.length === 0, "They run in the same places."],
  ];
  const same = said.filter(([isSame]) => isSame);
  if (same.length === 0) return null;
  return (
    <Section title="Unchanged">
      <ul className={styles.same}>
        {same.map(([, text]) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
    </Section>
  );
}

function ChangeList({ title, changes }: { title: string; changes: readonly Change[] }) {
  if (changes.length === 0) return null;
  return (
    <Section
      title={title}
      aside={<span className={table.soft}>{formatNumberOf(changes.length, "change")}</span>}
    >
      <ChangeTable title={title} changes={changes} />
    </Section>
  );
}

function ChangeTable({ title, changes }: { title: string; changes: readonly Change[] }) {
  if (changes.length === 0) return null;
  return (
    <table className={`${table.table} ${styles.changes}`} aria-label={title}>
      <tbody>
        {changes.map(({ name, before, after }) => (
          <tr key={name}>
            <td>
              <Mark kind={kindOfChange(before, after)} />
            </td>
            <th scope="row">
              <bdi title={name}>{name}</bdi>
            </th>
            <td data-title="Before">
              <code>{writeAny(before)}</code>
            </td>
            <td data-title="After">
              <code>{writeAny(after)}</code>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const MARKS = { added: "+ added", removed: "− removed", changed: "~ changed" } as const;

function Mark({ kind }: { kind: keyof typeof MARKS }): ReactNode {
  return <span className={styles[kind]}>{MARKS[kind]}</span>;
}

function Prompts({ found }: { found: VersionDiff }) {
  if (found.prompts.length === 0) return null;
  return (
    <Section title="Prompts">
      {found.prompts.map((one) => (
        <article key={one.name} className={styles.prompt}>
          <h3>
            <Mark kind={kindOfChange(one.before, one.after)} /> <bdi>{one.name}</bdi>{" "}
            <small>
              {one.before === null ? "–" : formatBytes(one.before.bytes)} →{" "}
              {one.after === null ? "–" : formatBytes(one.after.bytes)}
            </small>
          </h3>
          {one.diff === null ? null : (
            <pre>
              {readDiff(one.diff).map(({ kind, text }, index) => (
                // eslint-disable-next-line react/no-array-index-key -- lines of one text
                <div key={index} data-kind={kind}>
                  {text}
                </div>
              ))}
            </pre>
          )}
          {one.note === "" ? null : <p className={table.none}>{one.note}</p>}
        </article>
      ))}
    </Section>
  );
}

function SeenList({ mark, values }: { mark: "added" | "removed"; values: readonly Counted[] }) {
  if (values.length === 0) return null;
  return (
    <p>
      <span className={styles[mark]}>{mark === "added" ? "+ now only" : "− before only"}</span>{" "}
      {values.map(({ value, count }) => (
        <span key={value} className={styles.value}>
          <bdi>{value}</bdi> <small>{formatCount(count)}</small>
        </span>
      ))}
    </p>
  );
}
