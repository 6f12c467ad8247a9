/** Is the candidate worse than the baseline, by how much, and why? */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";

import { ApiError } from "../../api/client";
import { comparisonQuery } from "../../api/comparisons";
import { useLastAnswer } from "../../api/lastAnswer";
import { useScope } from "../../api/scope";
import type { Comparison } from "../../api/types";
import type { FilterFieldHandle } from "../../components/filter/FilterInput";
import { Advice, Body, Bones, Page, Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { Shortcuts } from "../../components/Shortcuts";
import { kindOf, shortenArm, writeArm } from "../../model/arms";
import type { ComparedScope } from "../../model/compareSnippets";
import type { Shortcut } from "../../model/shortcuts";
import { ALL_TIME, type Bounds } from "../../model/time";
import { Link, navigate } from "../../router";
import styles from "./ComparePage.module.css";
import { Controls, type OpenPicker, swapArms } from "./Controls";
import { Distribution } from "./Distribution";
import { ComparedExperiments } from "./links";
import { MetricTable } from "./MetricTable";
import { OverTime } from "./OverTime";
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
    for (const key of ["comparison", "distribution", "timeline", "versions"]) {
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
      <Page>
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
          <>
            <h1 className="visually-hidden">Compare</h1>
            {query.error === null ? <Bones label="Comparing" /> : null}
          </>
        ) : (
          <Body isStale={isStale}>
            <Sections found={found} view={view} bounds={scope.bounds} />
          </Body>
        )}
      </Page>
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

/** What the answer is about, which the address may be ahead of. */
function scopeOf(found: Comparison, view: CompareView): ComparedScope {
  const [baseline, candidate] = [found.baseline, found.candidate].map((arm) =>
    writeArm(kindOf(arm.kind), arm.asked),
  );
  return {
    ...view,
    baseline: baseline ?? null,
    candidate: candidate ?? null,
    environment: found.environment,
    filter: found.filter_string,
  };
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
        <Distribution
          view={view}
          scope={scopeOf(found, view)}
          bounds={{ sinceMs: found.since_ms, untilMs: found.until_ms }}
        />
      </Section>
      {isEmpty ? null : (
        <Section title="Over time">
          <OverTime found={found} view={view} />
        </Section>
      )}
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

/** What can't be compared, and what to do about it. */
function Refused({ error, view, onRetry }: { error: Error; view: CompareView; onRetry: () => void }) {
  const isRefused = error instanceof ApiError && error.status === 400;
  if (!isRefused) return <Problem error={error} onRetry={onRetry} />;
  return (
    <Advice title="Nothing to compare">
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
    </Advice>
  );
}
