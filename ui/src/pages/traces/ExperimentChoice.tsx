/** Which experiment is listed; shown only where there is a choice. */

import { useQuery } from "@tanstack/react-query";

import { experimentsQuery } from "../../api/queries";
import { navigate } from "../../router";
import styles from "./TracesPage.module.css";
import { buildTracesUrl, type TracesView } from "./url";

export function ExperimentChoice({ view }: { view: TracesView }) {
  const { data } = useQuery(experimentsQuery());
  const experiments = data?.experiments ?? [];
  if (experiments.length < 2) return null;
  return (
    <select
      aria-label="Experiment"
      className={styles.experiment}
      value={view.experimentIds[0] ?? ""}
      onChange={(event) => {
        const id = event.target.value;
        navigate(buildTracesUrl({ ...view, experimentIds: id === "" ? [] : [id] }));
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
