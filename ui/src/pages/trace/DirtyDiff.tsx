/** The diff of the work tree that the program ran from, where it was kept. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { ApiError } from "../../api/client";
import { documentQuery } from "../../api/queries";
import { LongText } from "../../components/LongText";
import styles from "./ContextCard.module.css";

export function DirtyDiff({ hash }: { hash: string }) {
  const [isOpen, setOpen] = useState(false);
  const query = useQuery({ ...documentQuery("diff", hash), enabled: isOpen });
  const isMissing = query.error instanceof ApiError && query.error.status === 404;
  return (
    <details
      className={styles.diff}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        What was not committed <code>{hash.slice(0, 12)}</code>
      </summary>
      {query.data === undefined ? null : (
        <div className={styles.text}>
          <LongText text={query.data.text} />
        </div>
      )}
      {query.isLoading ? <p className={styles.faint}>Loading…</p> : null}
      {isMissing ? (
        <p className={styles.faint}>
          It was not kept: <code>WHENCE_STORE_DIFF=1</code> in the program&apos;s environment keeps it.
        </p>
      ) : null}
      {query.error === null || isMissing ? null : <p className={styles.faint}>{query.error.message}</p>}
    </details>
  );
}
