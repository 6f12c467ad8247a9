/** The address of the Traces tab: `/traces?filter=…&order_by=…&experiment_id=…`. */

import type { Address } from "../../router";

export interface TracesView {
  filter: string;
  orderBy: readonly string[];
  experimentIds: readonly string[];
}

export function parseTracesUrl({ path, search }: Address): TracesView | null {
  if (path !== "/" && path !== "/traces" && path !== "/traces/") return null;
  const params = new URLSearchParams(search);
  return {
    filter: params.get("filter") ?? "",
    orderBy: params.getAll("order_by"),
    experimentIds: params.getAll("experiment_id"),
  };
}

export function buildTracesUrl(view: Partial<TracesView>): string {
  const params = new URLSearchParams();
  if (view.filter !== undefined && view.filter !== "") params.set("filter", view.filter);
  for (const clause of view.orderBy ?? []) params.append("order_by", clause);
  for (const id of view.experimentIds ?? []) params.append("experiment_id", id);
  const query = params.toString();
  return query === "" ? "/traces" : `/traces?${query}`;
}
