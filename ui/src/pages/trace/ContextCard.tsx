/** Version, environment, commit, branch, source, session, user: each leads to its traces. */

import type { TraceInfo } from "../../api/types";
import { CopyButton } from "../../components/CopyButton";
import { type ContextRow, listFirstContext, readCode } from "../../model/context";
import { shortenCommit } from "../../model/format";
import { Link } from "../../router";
import { buildTracesUrl } from "../traces/url";
import { DirtyDiff } from "./DirtyDiff";
import styles from "./ContextCard.module.css";

const TITLES: Readonly<Record<string, string>> = {
  environment: "Environment",
  app_version: "Version",
  commit: "Commit",
  branch: "Branch",
  source: "Source",
  session: "Session",
  user: "User",
};

export function ContextCard({ info }: { info: TraceInfo }) {
  const rows = listFirstContext(info);
  const code = readCode(info);
  if (rows.length === 0) {
    return (
      <section className={styles.card} aria-label="Where it came from">
        <p className={styles.faint}>
          Nothing says which version or environment this trace came from. <code>whence context</code>{" "}
          tells what a program would record, and what makes an unknown value known.
        </p>
      </section>
    );
  }
  return (
    <section className={styles.card} aria-label="Where it came from">
      <dl>
        {rows.map((row) => (
          <div key={row.label}>
            <dt>{TITLES[row.label] ?? row.label}</dt>
            <dd>
              <Value row={row} commitPage={row.label === "commit" ? code.commitPage : null} />
              {row.label === "commit" && code.isDirty ? (
                <span className={styles.dirty} title="The work tree differed from its commit">
                  uncommitted changes
                </span>
              ) : null}
              {row.note === undefined ? null : <span className={styles.note}>{row.note}</span>}
            </dd>
            <dd className={styles.actions}>
              {row.condition === null ? null : (
                <Link href={buildTracesUrl({ filter: row.condition })} title={`Traces where ${row.condition}`}>
                  Filter by this
                </Link>
              )}
              <CopyButton text={row.value} />
            </dd>
          </div>
        ))}
      </dl>
      {code.dirtyHash === null ? null : <DirtyDiff hash={code.dirtyHash} />}
    </section>
  );
}

function Value({ row, commitPage }: { row: ContextRow; commitPage: string | null }) {
  const shown = row.label === "commit" ? shortenCommit(row.value) : row.value;
  if (commitPage === null) return <bdi title={row.value}>{shown === "" ? "(empty)" : shown}</bdi>;
  return (
    <a href={commitPage} target="_blank" rel="noreferrer noopener" title={`${row.value} at its repository`}>
      {shown}
      <svg viewBox="0 0 10 10" width="9" height="9" aria-hidden="true">
        <path d="M3.5 2H2v6h6V6.5M5.5 2H8v2.5M8 2L4.5 5.5" />
      </svg>
    </a>
  );
}
