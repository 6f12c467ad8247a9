/** What the page of comparisons asks. */

import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import { type ComparedScope, writeCompareParams } from "../model/compareSnippets";
import type { Bounds } from "../model/time";
import { getJson, getText } from "./client";
import type { Comparison, DurationDistribution, Timeline } from "./types";

const STALE_MS = 60_000;

export interface TimelineScope {
  filter: string;
  environment?: string | null;
  experimentIds: readonly string[];
  bounds: Bounds;
}

export function comparisonQuery(scope: ComparedScope, bounds: Bounds) {
  const params = writeCompareParams(scope, bounds);
  return queryOptions({
    queryKey: ["comparison", params],
    queryFn: ({ signal }) => getJson<Comparison>("/api/v1/compare", params, signal),
    placeholderData: keepPreviousData,
    staleTime: STALE_MS,
  });
}

export function distributionQuery(scope: ComparedScope, bounds: Bounds) {
  const params = writeCompareParams(scope, bounds);
  return queryOptions({
    queryKey: ["distribution", params],
    queryFn: ({ signal }) =>
      getJson<DurationDistribution>("/api/v1/compare/distribution", params, signal),
    placeholderData: keepPreviousData,
    staleTime: STALE_MS,
  });
}

/** A metric over time, of the traces that a filter finds, between two moments. */
export function timelineQuery(
  metric: string,
  { filter, environment = null, experimentIds, bounds }: TimelineScope,
) {
  const params: [string, string][] = [["metric", metric]];
  if (filter !== "") params.push(["filter", filter]);
  if (environment !== null) params.push(["environment", environment]);
  for (const id of experimentIds) params.push(["experiment_id", id]);
  if (bounds.sinceMs !== null) params.push(["since", String(bounds.sinceMs)]);
  if (bounds.untilMs !== null) params.push(["until", String(bounds.untilMs)]);
  return queryOptions({
    queryKey: ["timeline", params],
    queryFn: ({ signal }) => getJson<Timeline>("/api/v1/timeline", params, signal),
    placeholderData: keepPreviousData,
    staleTime: STALE_MS,
  });
}

/** The report that `whence compare --format markdown` prints. */
export function readReport(scope: ComparedScope, bounds: Bounds): Promise<string> {
  return getText("/api/v1/compare", [...writeCompareParams(scope, bounds), ["format", "markdown"]]);
}
