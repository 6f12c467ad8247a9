/** Keys and values, each with "filter by this" and "copy". */

import { CopyButton } from "../../components/CopyButton";
import type { ContextRow } from "../../model/context";
import { formatNumberOf } from "../../model/format";
import { Link } from "../../router";
import { buildTracesUrl } from "../traces/url";
import styles from "./Panel.module.css";
import type { Pins } from "./usePinned";

interface RowsProps {
  title: string;
  rows: readonly ContextRow[];
  isFolded?: boolean;
  /** Where rows can be pinned. */
  pins?: Pins;
}

export function Rows({ title, rows, isFolded = false, pins }: RowsProps) {
  if (rows.length === 0) return null;
  const list = (
    <dl className={styles.rows}>
      {rows.map((row) => (
        <div key={row.label}>
          <dt title={row.label}>{row.label}</dt>
          <dd>
            {row.value === "" ? <span className={styles.faint}>(empty)</span> : <bdi>{row.value}</bdi>}
            {row.note === undefined ? null : <span className={styles.note}>{row.note}</span>}
          </dd>
          <dd className={styles.actions}>
            {row.condition === null ? null : (
              <>
                <Link
                  href={buildTracesUrl({ filter: row.condition })}
                  title={`Traces where ${row.condition}`}
                >
                  Filter by this
                </Link>
                <Link
                  href={buildTracesUrl({ filter: `NOT ${row.condition}` })}
                  title={`Traces where NOT ${row.condition}`}
                >
                  Exclude
                </Link>
              </>
            )}
            {pins === undefined ? null : <PinButton name={row.label} pins={pins} />}
            <CopyButton text={row.whole ?? row.value} />
          </dd>
        </div>
      ))}
    </dl>
  );
  return isFolded ? (
    <details className={styles.section}>
      <summary>
        {title} <span className={styles.faint}>{formatNumberOf(rows.length, "key")}</span>
      </summary>
      {list}
    </details>
  ) : (
    <section className={styles.section} aria-label={title}>
      <h3>{title}</h3>
      {list}
    </section>
  );
}

function PinButton({ name, pins }: { name: string; pins: Pins }) {
  const isPinned = pins.keys.includes(name);
  return (
    <button
      type="button"
      className={styles.pin}
      aria-pressed={isPinned}
      aria-label={`${isPinned ? "Unpin" : "Pin"} ${name}`}
      title="Shown for every span that has it, also on its bar"
      onClick={() => pins.toggle(name)}
    >
      {isPinned ? "Unpin" : "Pin"}
    </button>
  );
}
