/** Above the comparison: its two sides, where and when, and what is left out of it. */

import { type RefObject, useState } from "react";

import { readReport } from "../../api/comparisons";
import type { Arm, Comparison } from "../../api/types";
import { CodeMenu } from "../../components/CodeMenu";
import { EnvironmentChoice } from "../../components/EnvironmentChoice";
import { ExperimentChoice } from "../../components/ExperimentChoice";
import { FilterBar } from "../../components/filter/FilterBar";
import type { FilterFieldHandle } from "../../components/filter/FilterInput";
import { TimeMenu } from "../../components/TimeMenu";
import { saveText } from "../../kept";
import { kindOf, writeArm } from "../../model/arms";
import {
  writeComparePython,
  writeCompareCurl,
  writeCompareShell,
} from "../../model/compareSnippets";
import type { Bounds } from "../../model/time";
import { Link, navigate } from "../../router";
import { ArmPicker } from "./ArmPicker";
import styles from "./Controls.module.css";
import { buildCompareUrl, type CompareView } from "./url";

export type OpenPicker = "Baseline" | "Candidate" | null;

interface ControlsProps {
  view: CompareView;
  bounds: Bounds;
  found: Comparison | undefined;
  filterField: RefObject<FilterFieldHandle | null>;
  filterError: Error | null;
  open: OpenPicker;
  onOpen: (open: OpenPicker) => void;
  onAgain: () => void;
}

function nameArm(arm: Arm | undefined): string | null {
  return arm === undefined ? null : writeArm(kindOf(arm.kind), arm.asked);
}

/** Both sides as the address would name them, whoever chose them. */
export function nameArms(view: CompareView, found: Comparison | undefined) {
  return {
    baseline: view.baseline ?? nameArm(found?.baseline),
    candidate: view.candidate ?? nameArm(found?.candidate),
  };
}

export function swapArms(view: CompareView, found: Comparison | undefined): string {
  const { baseline, candidate } = nameArms(view, found);
  return buildCompareUrl({ ...view, baseline: candidate, candidate: baseline });
}

export function Controls(props: ControlsProps) {
  const { view, bounds, found, filterField, open, onOpen } = props;
  const named = nameArms(view, found);
  const scope = { environment: view.environment, experimentIds: view.experimentIds, bounds };
  const picker = (side: "Baseline" | "Candidate") => {
    const key = side === "Baseline" ? "baseline" : "candidate";
    return (
      <ArmPicker
        side={side}
        text={view[key]}
        resolved={named[key]}
        scope={scope}
        isOpen={open === side}
        onOpenChange={(isOpen) => onOpen(isOpen ? side : null)}
        hrefOf={(arm) => buildCompareUrl({ ...view, [key]: arm, region: null })}
      />
    );
  };
  return (
    <div className={styles.controls}>
      <div className={styles.line}>
        <div className={styles.arms}>
          {picker("Baseline")}
          <Link
            href={swapArms(view, found)}
            className="quiet-button"
            title="Swap baseline and candidate (s)"
            aria-label="Swap baseline and candidate"
          >
            <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
              <path
                d="M2 5.5h11M10.5 3l2.5 2.5L10.5 8M14 10.5H3M5.5 8L3 10.5 5.5 13"
                fill="none"
                stroke="currentColor"
                strokeWidth="1.4"
                strokeLinecap="round"
                strokeLinejoin="round"
              />
            </svg>
          </Link>
          {picker("Candidate")}
        </div>
        <EnvironmentChoice
          environment={view.environment}
          experimentIds={view.experimentIds}
          hrefOf={(environment) => buildCompareUrl({ ...view, environment })}
        />
        <TimeMenu
          time={view.time}
          bounds={bounds}
          hrefOf={(time) => buildCompareUrl({ ...view, time })}
        />
        <span className={styles.gap} />
        <Taking {...props} />
      </div>
      <div className={styles.line}>
        <ExperimentChoice
          experimentIds={view.experimentIds}
          hrefOf={(experimentIds) => buildCompareUrl({ ...view, experimentIds })}
        />
        <FilterBar
          draftName="whence.draft.compare"
          handle={filterField}
          filter={view.filter}
          experimentIds={view.experimentIds}
          error={props.filterError}
          onRun={(filter) => {
            if (filter === view.filter) props.onAgain();
            else navigate(buildCompareUrl({ ...view, filter }));
          }}
        />
      </div>
    </div>
  );
}

/** The comparison taken elsewhere: as a report, or as a program. */
function Taking({ view, bounds, found }: ControlsProps) {
  const [said, setSaid] = useState<string | null>(null);
  const scope = { ...view, ...nameArms(view, found) };
  const url = window.location.origin;
  const save = async (): Promise<void> => {
    setSaid("Writing…");
    try {
      saveText(await readReport(scope, bounds), "comparison.md", "text/markdown");
      setSaid(null);
    } catch (error) {
      setSaid(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <>
      {said === null ? null : (
        <span role="status" className={styles.said}>
          {said}
        </span>
      )}
      <button
        type="button"
        className="quiet-button"
        disabled={found === undefined}
        title="The report that whence compare --format markdown prints"
        onClick={() => void save()}
      >
        Export Markdown
      </button>
      <CodeMenu
        title="This comparison as code"
        programs={[
          { title: "Command line", text: writeCompareShell(scope, url) },
          { title: "Python", text: writeComparePython(scope, url) },
          { title: "curl", text: writeCompareCurl(scope, bounds, url) },
        ]}
      />
    </>
  );
}
