/** Sessions or users in rows, the latest active on top; the whole row leads to the one it is of. */

import type { TraceGroup } from "../../api/types";
import { readSaid } from "../../model/conversation";
import { ABSENT, formatCost, formatCount, formatExactTime, formatTime } from "../../model/format";
import { formatLasted } from "../../model/sessions";
import { Link } from "../../router";
import styles from "./Groups.module.css";
import { buildGroupsUrl, type By } from "./url";

interface GroupTableProps {
  by: By;
  groups: readonly TraceGroup[];
  experimentIds: readonly string[];
  nowMs: number;
  isStale: boolean;
  /** They are all of one user, whom the page names already. */
  ofUser?: boolean;
}

export function GroupTable({ by, groups, experimentIds, nowMs, isStale, ofUser = false }: GroupTableProps) {
  return (
    <table className={`${styles.table} ${isStale ? styles.stale : ""}`}>
      <thead>
        <tr>
          <th scope="col">{by === "session" ? "Session" : "User"}</th>
          <th scope="col">Last trace</th>
          <th scope="col" className={styles.number}>
            Traces
          </th>
          <th scope="col" className={styles.number}>
            Errors
          </th>
          <th scope="col" className={styles.number} title="From the first trace to the last one">
            Lasted
          </th>
          <th scope="col" className={styles.number}>
            Tokens
          </th>
          <th scope="col" className={styles.number}>
            Cost
          </th>
          {ofUser ? null : <th scope="col">{by === "session" ? "User" : "Sessions"}</th>}
          <th scope="col">Environment</th>
          <th scope="col">Version</th>
          <th scope="col" className={styles.wide}>
            {by === "session" ? "Began with" : "First asked"}
          </th>
        </tr>
      </thead>
      <tbody>
        {groups.map((group) => (
          <tr key={group.name}>
            <th scope="row">
              <Link href={buildGroupsUrl({ by, name: group.name, experimentIds })}>{group.name}</Link>
            </th>
            <td title={formatExactTime(group.last_ms, nowMs)}>{formatTime(group.last_ms, nowMs)}</td>
            <td className={styles.number}>
              {formatCount(group.traces)}
              {group.unfinished > 0 ? (
                <span className={styles.running}> · {formatCount(group.unfinished)} running</span>
              ) : null}
            </td>
            <td className={`${styles.number} ${group.errors > 0 ? styles.failed : ""}`}>
              {formatCount(group.errors)}
            </td>
            <td className={styles.number}>
              {formatLasted(group)}
            </td>
            <td className={styles.number}>{formatCount(group.total_tokens)}</td>
            <td className={styles.number}>{formatCost(group.cost_usd)}</td>
            {ofUser ? null : (
              <td>{by === "session" ? nameSome(group.users, group.others) : formatCount(group.others)}</td>
            )}
            <td>{nameSome(group.environments, group.environments.length)}</td>
            <td>{nameSome(group.app_versions, group.app_versions.length)}</td>
            <td className={styles.wide}>{readSaid(group.request_preview ?? "")}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const NAMED = 2;

/** "a, b and 3 more" of those that are listed and those that are only counted. */
function nameSome(names: readonly string[], count: number): string {
  if (names.length === 0) return ABSENT;
  const shown = names.slice(0, NAMED).join(", ");
  return count > NAMED ? `${shown} and ${formatCount(count - NAMED)} more` : shown;
}
