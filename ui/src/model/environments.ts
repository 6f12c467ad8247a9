/** The numbers of environments side by side. */

import type { EnvironmentRow } from "../api/types";
import { formatValue } from "./comparison";
import { ABSENT, formatCount } from "./format";

export interface Measure {
  title: string;
  text: (one: EnvironmentRow) => string;
}

type Read = (one: EnvironmentRow) => number | null;

const NUMBERS: readonly { title: string; unit: string; read: Read }[] = [
  { title: "Traces", unit: "", read: (one) => one.traces },
  { title: "Unfinished", unit: "", read: (one) => one.unfinished },
  { title: "Independent", unit: "", read: (one) => one.units },
  { title: "Versions", unit: "", read: (one) => one.versions },
  { title: "Error rate", unit: "share", read: (one) => one.error_rate },
  { title: "p50", unit: "ms", read: (one) => one.p50_ms },
  { title: "p95", unit: "ms", read: (one) => one.p95_ms },
  { title: "p99", unit: "ms", read: (one) => one.p99_ms },
];

/** A row for each number, then one for each feedback that any environment has. */
export function listMeasures(environments: readonly EnvironmentRow[]): Measure[] {
  const judged = [...new Set(environments.flatMap((one) => one.quality.map(({ name }) => name)))];
  return [
    ...NUMBERS.map(({ title, unit, read }): Measure => ({
      title,
      text: (one) => {
        const value = read(one);
        return unit === "" && value !== null ? formatCount(value) : formatValue(value, unit);
      },
    })),
    ...judged.map((name): Measure => ({
      title: name,
      text: (one) => {
        const found = one.quality.find((quality) => quality.name === name);
        return found === undefined ? ABSENT : `${Number(found.mean.toPrecision(3))} (${formatCount(found.count)})`;
      },
    })),
  ];
}
