/** The sessions, or the users, of the traces that a filter finds. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { useRef } from "react";

import { ApiError } from "../../api/client";
import { useLastAnswer } from "../../api/lastAnswer";
import { groupsQuery } from "../../api/queries";
import { Problem } from "../../components/Problem";
import { Shortcuts } from "../../components/Shortcuts";
import { formatCount, formatExactTime, formatNumberOf } from "../../model/format";
import { navigate } from "../../router";
import { ExperimentChoice } from "../../components/ExperimentChoice";
import { FilterBar } from "../../components/filter/FilterBar";
import type { FilterFieldHandle } from "../../components/filter/FilterInput";
import { TimeMenu } from "../../components/TimeMenu";
import { useScope } from "../../api/scope";
import styles from "./Groups.module.css";
import { GroupTable } from "./GroupTable";
import { buildGroupsUrl, type By, type GroupsView } from "./url";

const TITLES = { session: "Sessions", user: "Users" } as const;

export function GroupsPage({ view }: { view: GroupsView }) {
  const { by, filter, experimentIds, time } = view;
  const { scope, restart } = useScope(view);
  const query = useInfiniteQuery(groupsQuery(by, scope));
  const filterField = useRef<FilterFieldHandle | null>(null);
  // A filter that can't be read keeps what was found before, under the mistake.
  const data = useLastAnswer(query.data);
  const groups = data?.pages.flatMap((page) => page.groups) ?? [];
  const last = data?.pages.at(-1);
  const countedFromMs = last?.counted_from_ms ?? null;
  const isWrong = query.error instanceof ApiError && query.error.status === 400;
  const again = (): void => {
    restart();
    void query.refetch();
  };
  return (
    <>
      <title>{`${TITLES[by]} · Whence`}</title>
      <Shortcuts
        table={[
          { keys: ["/"], does: "Go to the filter", run: () => filterField.current?.focus() },
          { keys: ["r"], does: "Ask again", run: again },
          {
            keys: ["Escape"],
            does: "Leave the filter",
            run: () => filterField.current?.blur(),
            inFields: true,
          },
        ]}
      />
      <h1 className="visually-hidden">{TITLES[by]}</h1>
      <div className={styles.controls}>
        <div className={styles.line}>
          <ExperimentChoice
            experimentIds={experimentIds}
            hrefOf={(ids) => buildGroupsUrl({ ...view, experimentIds: ids })}
          />
          <FilterBar
            draftName={`whence.draft.${by}s`}
            handle={filterField}
            filter={filter}
            experimentIds={experimentIds}
            error={query.error}
            onRun={(text) => {
              if (text === filter) again();
              else navigate(buildGroupsUrl({ ...view, filter: text }));
            }}
          />
        </div>
        <div className={styles.line}>
          <TimeMenu
            time={time}
            bounds={scope.bounds}
            hrefOf={(range) => buildGroupsUrl({ ...view, time: range })}
          />
          <p className={styles.count} role="status">
            {last === undefined ? null : count(groups.length, last.total, by)}
            <span>{query.isFetching ? "asking…" : last && `${last.elapsed_ms.toFixed(0)} ms`}</span>
          </p>
        </div>
        {countedFromMs === null ? null : (
          <p className={styles.note}>
            There are too many traces to add up: those before{" "}
            {formatExactTime(countedFromMs, query.dataUpdatedAt)} are left out. A shorter time
            or a narrower filter counts exactly.
          </p>
        )}
      </div>
      {query.error !== null && !isWrong ? <Problem error={query.error} onRetry={again} /> : null}
      <div className={styles.scroller}>
        {groups.length > 0 ? (
          <GroupTable
            by={by}
            groups={groups}
            experimentIds={experimentIds}
            nowMs={query.dataUpdatedAt}
            isStale={query.isPlaceholderData || isWrong}
          />
        ) : null}
        {last !== undefined && groups.length === 0 && query.error === null ? <None by={by} /> : null}
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

function count(shown: number, total: number, by: By): string {
  return shown < total
    ? `showing ${formatCount(shown)} of ${formatCount(total)}`
    : formatNumberOf(shown, by);
}

function None({ by }: { by: By }) {
  return (
    <div className={styles.nothing}>
      <h2>No trace here names a {by}</h2>
      <p>
        Where a trace is recorded, say which {by} it belongs to; it is found under that name from
        then on.
      </p>
      <pre>{`whence.update_current_trace(${by === "session" ? 'session_id="session-abc-456"' : 'user="user-104"'})`}</pre>
    </div>
  );
}
