/** What the pages of versions and comparisons ask. */

import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import { type ComparedScope, writeCompareParams } from "../model/compareSnippets";
import type { Bounds } from "../model/time";
import { getJson, getText } from "./client";
import type { Comparison, DurationDistribution, VersionRow } from "./types";

const STALE_MS = 60_000;

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

/** The report that `whence compare --format markdown` prints. */
export function readReport(scope: ComparedScope, bounds: Bounds): Promise<string> {
  return getText("/api/v1/compare", [...writeCompareParams(scope, bounds), ["format", "markdown"]]);
}

export interface VersionScope {
  environment: string | null;
  experimentIds: readonly string[];
  bounds: Bounds;
}

export function versionsQuery(
  { environment, experimentIds, bounds }: VersionScope,
  { byEnvironment = false, quality = false } = {},
) {
  const params: [string, string][] = [];
  if (environment !== null) params.push(["environment", environment]);
  for (const id of experimentIds) params.push(["experiment_id", id]);
  if (bounds.sinceMs !== null) params.push(["since", String(bounds.sinceMs)]);
  if (bounds.untilMs !== null) params.push(["until", String(bounds.untilMs)]);
  if (byEnvironment) params.push(["by", "environment"]);
  if (quality) params.push(["quality", "true"]);
  return queryOptions({
    queryKey: ["versions", params],
    queryFn: ({ signal }) =>
      getJson<{ versions: VersionRow[]; total: number; elapsed_ms: number }>(
        "/api/v1/versions",
        params,
        signal,
      ),
    placeholderData: keepPreviousData,
    staleTime: 15_000,
  });
}
