/** What is odd about the trace as a whole: said above it, not hidden in it. */

import type { Oddities } from "../../model/spanFacts";
import { formatDuration, formatNumberOf } from "../../model/format";
import styles from "./TracePage.module.css";

interface BannersProps {
  oddities: Oddities;
  onSelect: (spanId: string) => void;
}

export function Banners({ oddities, onSelect }: BannersProps) {
  const { missingParents, orphans, early, mostEarlyNs, firstEarly } = oddities;
  return (
    <>
      {missingParents === 0 ? null : (
        <p className={styles.banner} role="note">
          <strong>Spans are missing.</strong> {formatNumberOf(orphans, "span")}{" "}
          {orphans === 1 ? "names" : "name"} a parent that never arrived: it was lost, sampled out,
          belongs to a service that sends elsewhere, or is still on its way.
        </p>
      )}
      {early === 0 ? null : (
        <p className={styles.banner} role="note">
          <strong>Clocks disagree.</strong> {formatNumberOf(early, "span")}{" "}
          {early === 1 ? "begins" : "begin"} before the parent, by up to {formatDuration(mostEarlyNs)}.
          Times are shown as they were recorded.{" "}
          {firstEarly === null ? null : (
            <button type="button" onClick={() => onSelect(firstEarly.spanId)}>
              Show the first
            </button>
          )}
        </p>
      )}
    </>
  );
}
