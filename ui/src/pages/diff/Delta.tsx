/** How much a duration changed: with a sign, a part of the whole, and a word for those who see no colour. */

import { formatDuration } from "../../model/format";
import styles from "./DiffPage.module.css";

const NS_PER_MS = 1e6;
/** Less than this part more or less is no news. */
const LEAST_PART = 0.05;

interface DeltaProps {
  /** Milliseconds. */
  before: number | null;
  after: number | null;
}

export function Delta({ before, after }: DeltaProps) {
  if (before === null || after === null) return null;
  const ms = after - before;
  const part = before === 0 ? null : ms / before;
  const isNews = part === null || Math.abs(part) >= LEAST_PART;
  const look = !isNews ? "same" : ms > 0 ? "slower" : "faster";
  const sign = ms > 0 ? "+" : ms < 0 ? "−" : "±";
  const percent = part === null ? "" : ` (${sign}${formatPercent(Math.abs(part))})`;
  return (
    <span className={styles.delta} data-look={look} title={isNews ? look : "about the same"}>
      {sign}
      {formatDuration(Math.abs(ms) * NS_PER_MS)}
      {percent}
    </span>
  );
}

function formatPercent(part: number): string {
  return part >= 10 ? `${Math.round(part)}×` : `${(part * 100).toFixed(part < 0.1 ? 1 : 0)} %`;
}
