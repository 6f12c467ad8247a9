/** What a session or a user is: name and figures, and the way to its traces. */

import { useInfiniteQuery } from "@tanstack/react-query";

import { groupsQuery, type Scope } from "../../api/queries";
import { CopyButton } from "../../components/CopyButton";
import { formatCost, formatCount, formatExactTime, formatTime } from "../../model/format";
import { formatLasted } from "../../model/sessions";
import { Link } from "../../router";
import { buildTracesUrl } from "../traces/url";
import styles from "./Groups.module.css";
import { buildGroupsUrl, type By } from "./url";

interface GroupHeaderProps {
  by: By;
  name: string;
  scope: Scope;
  /** The filter that finds its traces; null where the language can't say it. */
  condition: string | null;
}

export function GroupHeader({ by, name, scope, condition }: GroupHeaderProps) {
  const { data, dataUpdatedAt } = useInfiniteQuery(groupsQuery(by, scope, name));
  const group = data?.pages[0]?.groups[0];
  const { experimentIds } = scope;
  return (
    <header className={styles.header}>
      <div className={styles.line}>
        <Link href={buildGroupsUrl({ by, experimentIds })} className={styles.back}>
          {by === "session" ? "Sessions" : "Users"}
        </Link>
        <span className={styles.slash}>/</span>
        <h1>{name}</h1>
        <CopyButton text={name} />
        <span className={styles.gap} />
        {condition === null ? null : (
          <Link
            href={buildTracesUrl({ filter: condition, experimentIds })}
            className="quiet-button"
          >
            In the Traces tab
          </Link>
        )}
      </div>
      {group === undefined ? null : (
        <dl className={styles.facts}>
          <Fact label="Traces" value={formatCount(group.traces)} />
          {group.errors > 0 ? <Fact label="Errors" value={formatCount(group.errors)} isBad /> : null}
          <Fact
            label="First"
            value={formatTime(group.first_ms, dataUpdatedAt)}
            title={formatExactTime(group.first_ms, dataUpdatedAt)}
          />
          <Fact
            label="Last"
            value={formatTime(group.last_ms, dataUpdatedAt)}
            title={formatExactTime(group.last_ms, dataUpdatedAt)}
          />
          <Fact label="Lasted" value={formatLasted(group)} />
          <Fact
            label="Tokens"
            value={formatCount(group.total_tokens)}
            title={`${formatCount(group.input_tokens)} in, ${formatCount(group.output_tokens)} out`}
          />
          <Fact label="Cost" value={formatCost(group.cost_usd)} />
          <Fact label="Environment" value={group.environments.join(", ")} />
          <Fact label="Version" value={group.app_versions.join(", ")} />
          {by === "user" ? <Fact label="Sessions" value={formatCount(group.others)} /> : null}
          {by === "session" && group.users.length > 0 ? (
            <div>
              <dt>User</dt>
              <dd>
                {group.users.map((user) => (
                  <Link key={user} href={buildGroupsUrl({ by: "user", name: user, experimentIds })}>
                    {user}
                  </Link>
                ))}
                {group.others > group.users.length
                  ? `and ${formatCount(group.others - group.users.length)} more`
                  : null}
              </dd>
            </div>
          ) : null}
        </dl>
      )}
    </header>
  );
}

interface FactProps {
  label: string;
  value: string;
  title?: string;
  isBad?: boolean;
}

function Fact({ label, value, title, isBad = false }: FactProps) {
  if (value === "") return null;
  return (
    <div title={title}>
      <dt>{label}</dt>
      <dd className={isBad ? styles.failed : undefined}>{value}</dd>
    </div>
  );
}
