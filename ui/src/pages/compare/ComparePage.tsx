/** Is the candidate worse than the baseline, by how much, and why? */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useRef, useState } from "react";

import { ApiError } from "../../api/client";
import { comparisonQuery } from "../../api/comparisons";
import { useLastAnswer } from "../../api/lastAnswer";
import { useScope } from "../../api/scope";
import type { Comparison } from "../../api/types";
import type { FilterFieldHandle } from "../../components/filter/FilterInput";
import { Problem } from "../../components/Problem";
import { Shortcuts } from "../../components/Shortcuts";
import { shortenArm } from "../../model/arms";
import type { Shortcut } from "../../model/shortcuts";
import { ALL_TIME, type Bounds } from "../../model/time";
import { Link, navigate } from "../../router";
import styles from "./ComparePage.module.css";
import { Controls, type OpenPicker, swapArms } from "./Controls";
import { Distribution } from "./Distribution";
import { ComparedExperiments } from "./links";
import { MetricTable } from "./MetricTable";
import { buildCompareUrl, type CompareView } from "./url";
import { Verdict } from "./Verdict";
import { Errors, Exemplars, Spans, Values } from "./Why";

export default function ComparePage({ view }: { view: CompareView }) {
  const { scope, restart } = useScope(view);
  const query = useQuery(comparisonQuery(view, scope.bounds));
  const found = useLastAnswer(query.data);
  const queries = useQueryClient();
  const filterField = useRef<FilterFieldHandle | null>(null);
  const [open, setOpen] = useState<OpenPicker>(null);
  const again = (): void => {
    restart();
    for (const key of ["comparison", "distribution", "versions"]) {
      void queries.invalidateQueries({ queryKey: [key] });
    }
  };
  const isFilterWrong = query.error instanceof ApiError && query.error.column !== null;
  const shortcuts: Shortcut[] = [
    { keys: ["/"], does: "Go to the filter", run: () => filterField.current?.focus() },
    { keys: ["b"], does: "Choose the baseline", run: () => setOpen("Baseline") },
    { keys: ["c"], does: "Choose the candidate", run: () => setOpen("Candidate") },
    { keys: ["s"], does: "Swap the two", run: () => navigate(swapArms(view, found)) },
    { keys: ["r"], does: "Ask again", run: again },
    {
      keys: ["Escape"],
      does: "Leave the filter",
      run: () => filterField.current?.blur(),
      inFields: true,
    },
  ];
  const isStale = query.isPlaceholderData || query.error !== null;
  return (
    <ComparedExperiments value={view.experimentIds}>
      <title>{titleOf(query.data)}</title>
      <Shortcuts table={shortcuts} />
      <div className={styles.scroller}>
        <Controls
          view={view}
          bounds={scope.bounds}
          found={found}
          filterField={filterField}
          filterError={isFilterWrong ? query.error : null}
          open={open}
          onOpen={setOpen}
          onAgain={again}
        />
        {query.error === null || isFilterWrong ? null : (
          <Refused error={query.error} view={view} onRetry={again} />
        )}
        {found === undefined ? (
          query.error === null ? <Skeleton /> : null
        ) : (
          <div className={`${styles.page} ${isStale ? styles.stale : ""}`} aria-busy={query.isFetching}>
            <Sections found={found} view={view} bounds={scope.bounds} />
          </div>
        )}
      </div>
    </ComparedExperiments>
  );
}

function titleOf(found: Comparison | undefined): string {
  if (found === undefined) return "Compare · Whence";
  const [baseline, candidate] = [found.baseline, found.candidate].map((arm) =>
    shortenArm({ kind: null, value: arm.asked }),
  );
  return `${candidate} against ${baseline}: ${found.verdict} · Whence`;
}

interface SectionsProps {
  found: Comparison;
  view: CompareView;
  bounds: Bounds;
}

function Sections({ found, view, bounds }: SectionsProps) {
  const why = found.explanation ?? null;
  const isEmpty = found.baseline.traces === 0 || found.candidate.traces === 0;
  return (
    <>
      <Verdict found={found} scope={{ ...view, bounds }} />
      <Section title="Metrics">
        <MetricTable found={found} />
      </Section>
      <Section title="Durations">
        <Distribution view={view} bounds={bounds} />
      </Section>
      {why === null || isEmpty ? null : (
        <>
          <Section title="Where the time goes">
            <Spans why={why} />
          </Section>
          <Section title="Errors">
            <Errors found={found} />
          </Section>
          <Section title="Values of slow and failed traces">
            <Values why={why} />
          </Section>
          <Section title="Traces to look at">
            <Exemplars why={why} />
          </Section>
        </>
      )}
      <p className={styles.foot}>
        Compared in {found.elapsed_ms.toFixed(0)} ms{found.exact ? "" : ", from a sample"}
      </p>
    </>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className={styles.section} aria-label={title}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** What can't be compared, and what to do about it. */
function Refused({ error, view, onRetry }: { error: Error; view: CompareView; onRetry: () => void }) {
  const isRefused = error instanceof ApiError && error.status === 400;
  if (!isRefused) return <Problem error={error} onRetry={onRetry} />;
  return (
    <div className={styles.refused} role="alert">
      <h2>Nothing to compare</h2>
      <p>{error.message.charAt(0).toUpperCase() + error.message.slice(1)}.</p>
      <p>
        Choose the two sides above (<kbd>b</kbd>, <kbd>c</kbd>)
        {view.time.kind === "all" ? null : (
          <>
            , <Link href={buildCompareUrl({ ...view, time: ALL_TIME })}>look at all times</Link>
          </>
        )}
        , or tell versions apart: <code>APP_VERSION=1.1.0 ENVIRONMENT=production python app.py</code>.
      </p>
    </div>
  );
}

function Skeleton() {
  return (
    <div className={styles.page} role="status" aria-label="Comparing">
      <div className={styles.bones}>
        {Array.from({ length: 9 }, (_, index) => (
          // eslint-disable-next-line react/no-array-index-key -- they are all alike
          <div key={index} />
        ))}
      </div>
    </div>
  );
}
