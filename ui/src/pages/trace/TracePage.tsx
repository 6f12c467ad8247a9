/** One trace by its address: asked for, asked for again while it runs, or missing. */

import { useQuery } from "@tanstack/react-query";

import { ApiError } from "../../api/client";
import { traceQuery } from "../../api/queries";
import { Problem } from "../../components/Problem";
import { Link } from "../../router";
import { buildTracesUrl } from "../traces/url";
import { ShownTrace } from "./ShownTrace";
import styles from "./TracePage.module.css";
import type { TraceView } from "./url";

export default function TracePage({ view }: { view: TraceView }) {
  const query = useQuery(traceQuery(view.traceId));
  if (query.data !== undefined) {
    return (
      <ShownTrace
        view={view}
        trace={query.data}
        readAtMs={query.dataUpdatedAt}
        error={query.error}
        onRetry={() => void query.refetch()}
      />
    );
  }
  if (query.error instanceof ApiError && query.error.status === 404) {
    return (
      <div className={styles.missing}>
        <title>No such trace · Whence</title>
        <h1>There is no such trace</h1>
        <p>
          <code>{view.traceId}</code> is not in this store: it was deleted, or has not arrived yet.{" "}
          <Link href={buildTracesUrl({})}>All traces</Link>
        </p>
      </div>
    );
  }
  if (query.error !== null) {
    return <Problem error={query.error} onRetry={() => void query.refetch()} />;
  }
  return <TraceSkeleton />;
}

/** What stands there until the trace is there. */
export function TraceSkeleton() {
  return (
    <div className={styles.skeleton} role="status" aria-label="Loading the trace">
      {Array.from({ length: 10 }, (_, index) => (
        // oxlint-disable-next-line react/no-array-index-key -- they are all alike
        <div key={index} />
      ))}
    </div>
  );
}
