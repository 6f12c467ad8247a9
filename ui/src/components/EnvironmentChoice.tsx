/** Which environment a page is about, with the number of traces in each. */

import { useQuery } from "@tanstack/react-query";

import { valuesQuery } from "../api/queries";
import { formatCount } from "../model/format";
import { navigate } from "../router";
import styles from "./small.module.css";

interface EnvironmentChoiceProps {
  environment: string | null;
  experimentIds: readonly string[];
  hrefOf: (environment: string | null) => string;
}

export function EnvironmentChoice({ environment, experimentIds, hrefOf }: EnvironmentChoiceProps) {
  const { data } = useQuery(valuesQuery("environment", experimentIds));
  const found = data?.facets[0]?.values ?? [];
  const isUnknown = environment !== null && !found.some(({ value }) => value === environment);
  return (
    <select
      aria-label="Environment"
      className={styles.choice}
      value={environment ?? ""}
      onChange={(event) => navigate(hrefOf(event.target.value === "" ? null : event.target.value))}
    >
      <option value="">All environments</option>
      {isUnknown ? <option value={environment}>{environment}</option> : null}
      {found.map(({ value, count }) => (
        <option key={value} value={value}>
          {value} ({formatCount(count)})
        </option>
      ))}
    </select>
  );
}
