/**
 * The address of a comparison:
 * `/compare?baseline=1.0.0&candidate=1.1.0&environment=production&filter=…&time=7d&region=40-60&metric=error_rate`.
 * Without a candidate it is the newest version, without a baseline the one before.
 */

import type { ComparedScope } from "../../model/compareSnippets";
import { ALL_TIME, readTime, writeTime } from "../../model/time";
import type { Address } from "../../router";

export interface CompareView extends ComparedScope {
  /** The durations that are looked at. */
  region: string | null;
  /** What is drawn over time; null: what regressed. */
  metric: string | null;
}

export const NEWEST: CompareView = {
  baseline: null,
  candidate: null,
  environment: null,
  filter: "",
  experimentIds: [],
  time: ALL_TIME,
  region: null,
  metric: null,
};

export function parseCompareUrl({ path, search }: Address): CompareView | null {
  if (path !== "/compare" && path !== "/compare/") return null;
  const params = new URLSearchParams(search);
  const read = (name: string): string | null => {
    const text = params.get(name)?.trim() ?? "";
    return text === "" ? null : text;
  };
  return {
    baseline: read("baseline"),
    candidate: read("candidate"),
    environment: read("environment"),
    filter: params.get("filter") ?? "",
    experimentIds: params.getAll("experiment_id"),
    time: readTime(params),
    region: read("region"),
    metric: read("metric"),
  };
}

export function buildCompareUrl(given: Partial<CompareView>): string {
  const view = { ...NEWEST, ...given };
  const params = new URLSearchParams();
  if (view.baseline !== null) params.set("baseline", view.baseline);
  if (view.candidate !== null) params.set("candidate", view.candidate);
  if (view.environment !== null) params.set("environment", view.environment);
  if (view.filter !== "") params.set("filter", view.filter);
  writeTime(view.time, params);
  for (const id of view.experimentIds) params.append("experiment_id", id);
  if (view.region !== null) params.set("region", view.region);
  if (view.metric !== null) params.set("metric", view.metric);
  const query = params.toString();
  return query === "" ? "/compare" : `/compare?${query}`;
}
