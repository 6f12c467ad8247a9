/** A user: what the traces add up to, and the sessions, the latest active on top. */

import { useInfiniteQuery } from "@tanstack/react-query";

import { groupsQuery, type Scope } from "../../api/queries";
import { Problem } from "../../components/Problem";
import { Shortcuts } from "../../components/Shortcuts";
import { equals } from "../../model/filter";
import { findBounds } from "../../model/time";
import { Link } from "../../router";
import { buildTracesUrl } from "../traces/url";
import styles from "./Groups.module.css";
import { GroupHeader } from "./GroupHeader";
import { GroupTable } from "./GroupTable";
import type { GroupsView } from "./url";

export function UserPage({ name, view }: { name: string; view: GroupsView }) {
  const { experimentIds, time } = view;
  const condition = equals("user", name);
  const bounds = findBounds(time, Number.MAX_SAFE_INTEGER);
  const scope: Scope = { filter: "", experimentIds, bounds };
  const query = useInfiniteQuery({
    ...groupsQuery("session", { ...scope, filter: condition ?? "" }),
    enabled: condition !== null,
  });
  const sessions = query.data?.pages.flatMap((page) => page.groups) ?? [];
  return (
    <>
      <title>{`${name} · User · Whence`}</title>
      <Shortcuts table={[{ keys: ["r"], does: "Ask again", run: () => void query.refetch() }]} />
      <GroupHeader by="user" name={name} scope={scope} condition={condition} />
      <div className={styles.scroller}>
        {query.error === null ? null : (
          <Problem error={query.error} onRetry={() => void query.refetch()} />
        )}
        {sessions.length > 0 ? (
          <>
            <h2 className={styles.heading}>Sessions</h2>
            <GroupTable
              by="session"
              groups={sessions}
              experimentIds={experimentIds}
              nowMs={query.dataUpdatedAt}
              isStale={query.isPlaceholderData}
              ofUser
            />
          </>
        ) : null}
        {condition === null ? (
          <p className={styles.note}>
            This name holds both kinds of quotes, which the filter language can't write, so its
            sessions can't be listed.
          </p>
        ) : null}
        {condition !== null && query.data !== undefined && sessions.length === 0 ? (
          <p className={styles.note}>
            No trace of this user names a session.{" "}
            <Link href={buildTracesUrl({ filter: condition, experimentIds })}>All traces</Link>
          </p>
        ) : null}
        {query.hasNextPage ? (
          <button
            type="button"
            className={`quiet-button ${styles.more}`}
            disabled={query.isFetchingNextPage}
            onClick={() => void query.fetchNextPage()}
          >
            {query.isFetchingNextPage ? "Loading…" : "Load more"}
          </button>
        ) : null}
      </div>
    </>
  );
}
