/**
 * The address of the Traces tab:
 * `/traces?filter=…&time=24h&order_by=…&experiment_id=…&split=app_version&group=session&live=1`.
 */

import { ALL_TIME, readTime, type TimeRange, writeTime } from "../../model/time";
import type { Address } from "../../router";

export const SPLITS = ["state", "app_version", "environment", "branch"] as const;
export type Split = (typeof SPLITS)[number];

export interface TracesView {
  filter: string;
  orderBy: readonly string[];
  experimentIds: readonly string[];
  time: TimeRange;
  /** What the bars of the histogram are split by. */
  split: Split;
  isGrouped: boolean;
  isLive: boolean;
}

export const EVERYTHING: TracesView = {
  filter: "",
  orderBy: [],
  experimentIds: [],
  time: ALL_TIME,
  split: "state",
  isGrouped: false,
  isLive: false,
};

export function parseTracesUrl({ path, search }: Address): TracesView | null {
  if (path !== "/" && path !== "/traces" && path !== "/traces/") return null;
  const params = new URLSearchParams(search);
  const split = params.get("split");
  return {
    filter: params.get("filter") ?? "",
    orderBy: params.getAll("order_by"),
    experimentIds: params.getAll("experiment_id"),
    time: readTime(params),
    split: SPLITS.find((one) => one === split) ?? "state",
    isGrouped: params.get("group") === "session",
    isLive: params.get("live") === "1",
  };
}

export function buildTracesUrl(given: Partial<TracesView>): string {
  const view = { ...EVERYTHING, ...given };
  const params = new URLSearchParams();
  if (view.filter !== "") params.set("filter", view.filter);
  writeTime(view.time, params);
  for (const clause of view.orderBy) params.append("order_by", clause);
  for (const id of view.experimentIds) params.append("experiment_id", id);
  if (view.split !== "state") params.set("split", view.split);
  if (view.isGrouped) params.set("group", "session");
  if (view.isLive) params.set("live", "1");
  const query = params.toString();
  return query === "" ? "/traces" : `/traces?${query}`;
}
