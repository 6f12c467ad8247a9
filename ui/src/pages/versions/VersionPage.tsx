/** One version: its numbers in each environment, what makes it, and what was seen in its traces. */

import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";

import { ApiError } from "../../api/client";
import type { Counted, VersionDetail, VersionRow } from "../../api/types";
import { findingsQuery, promptQuery, versionQuery, versionsQuery } from "../../api/versions";
import { CopyButton } from "../../components/CopyButton";
import { Advice, Body, Bones, Page, Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { Shortcuts } from "../../components/Shortcuts";
import table from "../../components/Table.module.css";
import { writeArm } from "../../model/arms";
import { equals } from "../../model/filter";
import { formatBytes, formatCount, formatNumberOf } from "../../model/format";
import { groupByEnvironment, lookUp, nameVersion, writeAny } from "../../model/versions";
import { Link, navigate } from "../../router";
import { buildCompareUrl } from "../compare/url";
import { buildTracesUrl } from "../traces/url";
import { buildVersionDiffUrl, buildVersionsUrl, type VersionView } from "./url";
import styles from "./VersionPage.module.css";
import { VersionTable } from "./VersionTable";

const NO_BOUNDS = { sinceMs: null, untilMs: null };

export default function VersionPage({ view }: { view: VersionView }) {
  const query = useQuery(versionQuery(view.version, view));
  const findings = useQuery(findingsQuery(view.experimentIds));
  const found = query.data;
  const listed = useQuery(
    versionsQuery(
      { ...view, bounds: NO_BOUNDS },
      { byEnvironment: true, quality: true },
    ),
  );
  const isMissing = query.error instanceof ApiError && query.error.status === 404;
  return (
    <>
      <title>{`${view.version} · Versions · Whence`}</title>
      <Shortcuts
        table={[
          { keys: ["Escape"], does: "Back to all versions", run: () => navigate(buildVersionsUrl(view)) },
          { keys: ["r"], does: "Ask again", run: () => void query.refetch() },
        ]}
      />
      <Page>
        {isMissing ? (
          <Advice title="There is no such version">
            <p>{query.error?.message}</p>
            <p>
              <Link href={buildVersionsUrl(view)}>All versions</Link>
            </p>
          </Advice>
        ) : query.error === null ? null : (
          <Problem error={query.error} onRetry={() => void query.refetch()} />
        )}
        {found === undefined && query.error === null ? <Bones label="Loading the version" /> : null}
        {found === undefined ? null : (
          <Body>
            <Heading found={found} view={view} />
            {groupByEnvironment(useful(listed.data?.versions, found)).map(({ environment, rows }) => (
              <Section key={environment ?? ""} title={environment ?? "No environment"}>
                <VersionTable
                  rows={rows}
                  environment={environment}
                  scope={{ filter: "", experimentIds: view.experimentIds, bounds: NO_BOUNDS }}
                  findings={findings.data?.findings ?? []}
                  activeKey={null}
                  chosen={[]}
                  chooseHref={null}
                />
              </Section>
            ))}
            {found.manifests.map((one) => (
              <Manifest key={one.digest} one={one} isOnly={found.manifests.length === 1} />
            ))}
            {found.manifests.length === 0 ? (
              <Section title="Made of">
                <p className={table.none}>
                  Its traces name no manifest: Whence's SDK sends one, other SDKs send none.
                </p>
              </Section>
            ) : null}
            <Seen found={found} />
          </Body>
        )}
      </Page>
    </>
  );
}

/** Its row in each environment: those of the list tell feedback too, but list no manifests. */
function useful(listed: readonly VersionRow[] | undefined, found: VersionDetail): VersionRow[] {
  const own = (listed ?? []).filter((row) => lookUp(row) === found.name);
  if (found.kind !== "manifest" && own.length > 0) return own;
  const { app_version, commit } = found.summary;
  return found.environments.map((row) => ({ ...row, app_version, commit }));
}

function Heading({ found, view }: { found: VersionDetail; view: VersionView }) {
  const versions = useQuery(
    versionsQuery({ environment: null, experimentIds: view.experimentIds, bounds: NO_BOUNDS }),
  );
  const rows = versions.data?.versions ?? [];
  const at = rows.findIndex((row) => lookUp(row) === found.name);
  const before = at < 0 ? undefined : rows[at + 1];
  const earlier = before === undefined ? null : lookUp(before);
  const field = found.kind === "app_version" ? "app_version" : found.kind === "commit" ? "commit" : "metadata.`whence.manifest`";
  const filter = found.kind === "app_version" ? equals(field, found.name) : null;
  const kind = found.kind === "app_version" ? "version" : found.kind === "commit" ? "commit" : "manifest";
  return (
    <header className={styles.heading}>
      <p>
        <Link href={buildVersionsUrl(view)}>Versions</Link>
      </p>
      <h1>
        <bdi>{found.name}</bdi> {kind === "version" ? null : <small>{kind}</small>}
      </h1>
      <nav aria-label="This version" className={styles.links}>
        <Link
          className="solid-button"
          href={buildCompareUrl({
            baseline: earlier === null || before === undefined ? null : earlier,
            candidate: writeArm(kind, found.name),
            experimentIds: view.experimentIds,
          })}
        >
          Compare with {before === undefined ? "the one before" : nameVersion(before)}
        </Link>
        <label>
          <span>What changed since</span>
          <select
            aria-label="What changed since"
            value=""
            onChange={(event) =>
              navigate(
                buildVersionDiffUrl({ ...view, before: event.target.value, after: found.name }),
              )
            }
          >
            <option value="" disabled>
              choose a version
            </option>
            {rows.flatMap((row) => {
              const name = lookUp(row);
              return name === null || name === found.name
                ? []
                : [
                    <option key={name} value={name}>
                      {nameVersion(row)}
                    </option>,
                  ];
            })}
          </select>
        </label>
        {filter === null ? null : (
          <Link className="quiet-button" href={buildTracesUrl({ filter, experimentIds: view.experimentIds })}>
            Its traces
          </Link>
        )}
      </nav>
      {found.summary.warnings.map((warning) => (
        <p key={warning} className={styles.warning}>
          {warning}
        </p>
      ))}
    </header>
  );
}

function Manifest({ one, isOnly }: { one: VersionDetail["manifests"][number]; isOnly: boolean }) {
  const { manifest } = one;
  const title = isOnly ? "Made of" : `Made of (${one.digest.slice(0, 12)})`;
  const aside = (
    <span className={table.soft}>
      manifest <code title={one.digest}>{one.digest.slice(0, 12)}</code>, {formatNumberOf(one.traces, "trace")}
      <CopyButton text={one.digest} label="Copy digest" />
    </span>
  );
  if (manifest === null) {
    return (
      <Section title={title} aside={aside}>
        <p className={table.none}>The manifest has not arrived yet; its process may have ended too early.</p>
      </Section>
    );
  }
  const distributions = Object.entries(manifest.distributions);
  return (
    <Section title={title} aside={aside}>
      <dl className={styles.facts}>
        <Fact name="Commit">
          {manifest.commit === null ? "–" : <code>{manifest.commit}</code>}
          {manifest.dirty === true ? <span className={styles.warning}> with uncommitted changes</span> : null}
        </Fact>
        <Fact name="Branch">{manifest.branch ?? "–"}</Fact>
        <Fact name="Repository">{manifest.repository ?? "–"}</Fact>
        <Fact name="Service">{manifest.service ?? "–"}</Fact>
        <Fact name="Python">{manifest.python ?? "–"}</Fact>
        {Object.entries(manifest.models).map(([name, model]) => (
          <Fact key={`model ${name}`} name={`Model: ${name}`}>
            {model}
          </Fact>
        ))}
        {Object.entries(manifest.parameters).map(([name, value]) => (
          <Fact key={`parameter ${name}`} name={name}>
            <code>{writeAny(value)}</code>
          </Fact>
        ))}
      </dl>
      {Object.entries(manifest.prompts).map(([name, prompt]) => (
        <Prompt key={name} name={name} hash={prompt.text_hash} bytes={prompt.bytes} isCut={prompt.text_hash !== prompt.hash} />
      ))}
      {distributions.length === 0 ? null : (
        <details className={styles.details}>
          <summary>{formatNumberOf(distributions.length, "distribution")} installed</summary>
          <ul>
            {distributions.map(([name, version]) => (
              <li key={name}>
                {name} <span>{version}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </Section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

interface PromptProps {
  name: string;
  hash: string;
  bytes: number;
  isCut: boolean;
}

function Prompt({ name, hash, bytes, isCut }: PromptProps) {
  const [isOpen, setOpen] = useState(false);
  const query = useQuery({ ...promptQuery(hash), enabled: isOpen });
  const isKept = !(query.error instanceof ApiError && query.error.status === 404);
  return (
    <details className={styles.details} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        Prompt <b>{name}</b> <span>{formatBytes(bytes)}</span>
      </summary>
      {query.data === undefined ? (
        <p className={table.none} role="status">
          {query.error === null
            ? "Loading…"
            : isKept
              ? query.error.message
              : "Its text was not kept (store_prompts=False), only its hash."}
        </p>
      ) : (
        <pre>{query.data.text}</pre>
      )}
      {isCut ? <p className={table.none}>Only the beginning was kept.</p> : null}
    </details>
  );
}

function Seen({ found }: { found: VersionDetail }) {
  const { seen } = found;
  const parts: [string, readonly Counted[]][] = [
    ["Models that answered", seen.models_answered],
    ["Models asked for", seen.models_requested],
    ["Tools", seen.tools],
    ["Spans", seen.span_names],
    ...Object.entries(seen.deployment).map(([name, values]): [string, readonly Counted[]] => [name, values]),
  ];
  return (
    <Section
      title="Seen in its traces"
      aside={
        <span className={table.soft}>the newest {formatCount(seen.sampled)}; models that answered: all</span>
      }
    >
      <dl className={styles.facts}>
        {parts.map(([name, values]) =>
          values.length === 0 ? null : (
            <Fact key={name} name={name}>
              {values.map(({ value, count }) => (
                <span key={value} className={styles.seen}>
                  <bdi>{value}</bdi> <small>{formatCount(count)}</small>
                </span>
              ))}
            </Fact>
          ),
        )}
      </dl>
    </Section>
  );
}
