/**
 * The addresses of sessions and users: `/sessions?filter=…&time=24h&experiment_id=…` lists them,
 * `/sessions/<session>` and `/users/<user>` show one.
 */

import { ALL_TIME, readTime, type TimeRange, writeTime } from "../../model/time";
import type { Address } from "../../router";

export type By = "session" | "user";

export interface GroupsView {
  by: By;
  /** The one that is shown; null for the list. */
  name: string | null;
  filter: string;
  experimentIds: readonly string[];
  time: TimeRange;
}

export function parseGroupsUrl({ path, search }: Address): GroupsView | null {
  const match = /^\/(session|user)s(?:\/([^/]*))?\/?$/.exec(path);
  if (match === null) return null;
  const name = decode(match[2] ?? "");
  const params = new URLSearchParams(search);
  return {
    by: match[1] === "user" ? "user" : "session",
    name: name === "" ? null : name,
    filter: params.get("filter") ?? "",
    experimentIds: params.getAll("experiment_id"),
    time: readTime(params),
  };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // a lone % was typed by hand
  }
}

export function buildGroupsUrl(given: Partial<GroupsView> & { by: By }): string {
  const view = { name: null, filter: "", experimentIds: [], time: ALL_TIME, ...given };
  const params = new URLSearchParams();
  if (view.filter !== "") params.set("filter", view.filter);
  writeTime(view.time, params);
  for (const id of view.experimentIds) params.append("experiment_id", id);
  const query = params.toString();
  const path = `/${view.by}s${view.name === null ? "" : `/${encodeURIComponent(view.name)}`}`;
  return query === "" ? path : `${path}?${query}`;
}
