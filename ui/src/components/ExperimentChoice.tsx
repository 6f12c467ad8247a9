/** Which experiment a page is about; shown only where there is a choice. */

import { useQuery } from "@tanstack/react-query";

import { experimentsQuery } from "../api/queries";
import { navigate } from "../router";
import styles from "./small.module.css";

interface ExperimentChoiceProps {
  experimentIds: readonly string[];
  /** The address of the same page for other experiments; none are all. */
  hrefOf: (experimentIds: readonly string[]) => string;
}

export function ExperimentChoice({ experimentIds, hrefOf }: ExperimentChoiceProps) {
  const { data } = useQuery(experimentsQuery());
  const experiments = data?.experiments ?? [];
  if (experiments.length < 2) return null;
  return (
    <select
      aria-label="Experiment"
      className={styles.choice}
      value={experimentIds[0] ?? ""}
      onChange={(event) => {
        const id = event.target.value;
        navigate(hrefOf(id === "" ? [] : [id]));
      }}
    >
      <option value="">All experiments</option>
      {experiments.map((experiment) => (
        <option key={experiment.experiment_id} value={experiment.experiment_id}>
          {experiment.name}
        </option>
      ))}
    </select>
  );
}
