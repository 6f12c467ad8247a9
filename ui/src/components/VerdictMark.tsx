import { readVerdict, type Verdict } from "../model/comparison";
import styles from "./VerdictMark.module.css";

const PATHS: Readonly<Record<Verdict, string>> = {
  regressed: "M4 4l8 8M12 4l-8 8",
  inconclusive: "M5.4 6a2.6 2.6 0 1 1 3.9 2.2c-.9.5-1.3.9-1.3 1.9M8 12.6v.2",
  equivalent: "M3.5 6h9M3.5 10h9",
  improved: "M3 8.6l3.2 3.2L13 4.6",
};

/** A verdict: a sign, a word and a colour; never the colour alone. */
export function VerdictMark({ verdict, isLarge = false }: { verdict: string; isLarge?: boolean }) {
  const known = readVerdict(verdict);
  const size = isLarge ? 22 : 14;
  return (
    <span className={`${styles.mark} ${styles[known]} ${isLarge ? styles.large : ""}`}>
      <svg viewBox="0 0 16 16" width={size} height={size} aria-hidden="true">
        <path d={PATHS[known]} />
      </svg>
      {isLarge ? known.charAt(0).toUpperCase() + known.slice(1) : known}
    </span>
  );
}
