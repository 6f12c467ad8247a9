/** A session as the conversation that it was: each trace a turn, in the order they began. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { type Scope, tracesQuery } from "../../api/queries";
import { Problem } from "../../components/Problem";
import { Shortcuts } from "../../components/Shortcuts";
import { listTurns } from "../../model/conversation";
import { equals } from "../../model/filter";
import { formatCount } from "../../model/format";
import { findBounds } from "../../model/time";
import styles from "./Groups.module.css";
import { GroupHeader } from "./GroupHeader";
import { TurnItem } from "./TurnItem";
import type { GroupsView } from "./url";

const IN_ORDER = ["timestamp ASC"] as const;
const MAX_FOLLOWED_PAGES = 3;
const RUNNING_POLL_MS = 2000;
const POLL_MS = 10_000;

export function SessionPage({ name, view }: { name: string; view: GroupsView }) {
  const { experimentIds, time } = view;
  const condition = equals("session", name);
  const bounds = findBounds(time, Number.MAX_SAFE_INTEGER);
  const scope: Scope = { filter: "", experimentIds, bounds };
  const query = useInfiniteQuery({
    ...tracesQuery({ ...scope, filter: condition ?? "", orderBy: IN_ORDER }),
    enabled: condition !== null,
    // A conversation may go on: it is asked for again, as long as it is short.
    refetchInterval: ({ state: { data } }) => {
      const pages = data?.pages ?? [];
      const isRunning = pages.at(-1)?.traces.some(({ info }) => info.state === "IN_PROGRESS");
      if (pages.length > MAX_FOLLOWED_PAGES) return false;
      return isRunning === true ? RUNNING_POLL_MS : POLL_MS;
    },
  });
  const turns = useMemo(
    () => listTurns(query.data?.pages.flatMap((page) => page.traces.map(({ info }) => info)) ?? []),
    [query.data],
  );
  return (
    <>
      <title>{`${name} · Session · Whence`}</title>
      <Shortcuts table={[{ keys: ["r"], does: "Ask again", run: () => void query.refetch() }]} />
      <GroupHeader by="session" name={name} scope={scope} condition={condition} />
      <div className={styles.scroller}>
        {query.error === null ? null : (
          <Problem error={query.error} onRetry={() => void query.refetch()} />
        )}
        {condition === null ? (
          <p className={styles.note}>
            This name holds both kinds of quotes, which the filter language can't write, so its traces
            can't be listed.
          </p>
        ) : null}
        {query.data !== undefined && turns.length === 0 ? (
          <p className={styles.note}>No trace of this session is stored yet; this page waits for one.</p>
        ) : null}
        <ol className={styles.turns} aria-label="Conversation">
          {turns.map((turn) => (
            <TurnItem key={turn.info.trace_id} turn={turn} nowMs={query.dataUpdatedAt} />
          ))}
        </ol>
        {query.hasNextPage ? (
          <button
            type="button"
            className={`quiet-button ${styles.more}`}
            disabled={query.isFetchingNextPage}
            onClick={() => void query.fetchNextPage()}
          >
            {query.isFetchingNextPage
              ? "Loading…"
              : `Load more after these ${formatCount(turns.length)}`}
          </button>
        ) : null}
      </div>
    </>
  );
}
