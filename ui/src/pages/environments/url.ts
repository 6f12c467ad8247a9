/** The address of the environments side by side: `/environments?version=1.1.0&time=7d&experiment_id=…`. */

import { ALL_TIME, readTime, type TimeRange, writeTime } from "../../model/time";
import type { Address } from "../../router";

export interface EnvironmentsView {
  /** Null: all traces. */
  version: string | null;
  experimentIds: readonly string[];
  time: TimeRange;
}

export function parseEnvironmentsUrl({ path, search }: Address): EnvironmentsView | null {
  if (path !== "/environments" && path !== "/environments/") return null;
  const params = new URLSearchParams(search);
  const version = params.get("version")?.trim() ?? "";
  return {
    version: version === "" ? null : version,
    experimentIds: params.getAll("experiment_id"),
    time: readTime(params),
  };
}

export function buildEnvironmentsUrl(given: Partial<EnvironmentsView> = {}): string {
  const { version = null, experimentIds = [], time = ALL_TIME } = given;
  const params = new URLSearchParams();
  if (version !== null) params.set("version", version);
  writeTime(time, params);
  for (const id of experimentIds) params.append("experiment_id", id);
  const query = params.toString();
  return query === "" ? "/environments" : `/environments?${query}`;
}
