/** The environments and versions seen, as links that add a condition to the filter or remove it. */

import { useQuery } from "@tanstack/react-query";

import { experimentsQuery, fieldsQuery } from "../../api/queries";
import { equals, hasCondition, toggleCondition } from "../../model/filter";
import { Link, navigate } from "../../router";
import styles from "./TracesPage.module.css";
import { buildTracesUrl, type TracesView } from "./url";

const FIELDS = ["environment", "app_version"] as const;
const MOST_VALUES = 6;

export function Chips({ view }: { view: TracesView }) {
  const { data } = useQuery(fieldsQuery());
  return FIELDS.map((field) => {
    const found = data?.fields.find(({ name }) => name === field || name === `metadata.${field}`);
    const values = found?.values.slice(0, MOST_VALUES) ?? [];
    if (values.length === 0) return null;
    return (
      <div key={field} className={styles.chips} role="group" aria-label={field}>
        <span>{field === "environment" ? "Environment" : "Version"}</span>
        {values.map(({ value, count }) => {
          const condition = equals(field, value);
          if (condition === null) return null;
          return (
            <Link
              key={value}
              href={buildTracesUrl({ ...view, filter: toggleCondition(view.filter, condition) })}
              aria-current={hasCondition(view.filter, condition)}
              title={`${count.toLocaleString("en-US")} of the newest traces: ${condition}`}
            >
              {value}
            </Link>
          );
        })}
      </div>
    );
  });
}

/** Which experiment is listed; shown only where there is a choice. */
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
