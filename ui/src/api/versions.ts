/** What the pages of versions and environments ask. */

import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import type { Bounds } from "../model/time";
import { getJson } from "./client";
import type {
  EnvironmentOverview,
  FindingList,
  StoredDocument,
  VersionDetail,
  VersionDiff,
  VersionRow,
} from "./types";

export interface VersionScope {
  environment: string | null;
  experimentIds: readonly string[];
  bounds: Bounds;
}

export function versionsQuery(
  { environment, experimentIds, bounds }: VersionScope,
  { byEnvironment = false, quality = false, most = null as number | null } = {},
) {
  const params: [string, string][] = [];
  if (environment !== null) params.push(["environment", environment]);
  for (const id of experimentIds) params.push(["experiment_id", id]);
  if (bounds.sinceMs !== null) params.push(["since", String(bounds.sinceMs)]);
  if (bounds.untilMs !== null) params.push(["until", String(bounds.untilMs)]);
  if (byEnvironment) params.push(["by", "environment"]);
  if (quality) params.push(["quality", "true"]);
  if (most !== null) params.push(["max_versions", String(most)]);
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

export interface NamedVersion {
  environment: string | null;
  experimentIds: readonly string[];
}

function writeNamed(
  named: Readonly<Record<string, string>>,
  { environment, experimentIds }: NamedVersion,
): [string, string][] {
  const params = Object.entries(named);
  if (environment !== null) params.push(["environment", environment]);
  for (const id of experimentIds) params.push(["experiment_id", id]);
  return params;
}

export function versionQuery(version: string, scope: NamedVersion) {
  const params = writeNamed({ version }, scope);
  return queryOptions({
    queryKey: ["version", params],
    queryFn: ({ signal }) => getJson<VersionDetail>("/api/v1/versions/detail", params, signal),
    staleTime: 15_000,
  });
}

export function versionDiffQuery(before: string, after: string, scope: NamedVersion) {
  const params = writeNamed({ before, after }, scope);
  return queryOptions({
    queryKey: ["version diff", params],
    queryFn: ({ signal }) => getJson<VersionDiff>("/api/v1/versions/diff", params, signal),
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  });
}

/** Regressions that the server found by itself, the open ones. */
export function findingsQuery(experimentIds: readonly string[]) {
  const params: [string, string][] = [["state", "open"]];
  for (const id of experimentIds) params.push(["experiment_id", id]);
  return queryOptions({
    queryKey: ["findings", params],
    queryFn: ({ signal }) => getJson<FindingList>("/api/v1/findings", params, signal),
    staleTime: 15_000,
  });
}

export function environmentsQuery(
  version: string | null,
  experimentIds: readonly string[],
  bounds: Bounds,
) {
  const params: [string, string][] = [];
  if (version !== null) params.push(["version", version]);
  for (const id of experimentIds) params.push(["experiment_id", id]);
  if (bounds.sinceMs !== null) params.push(["since", String(bounds.sinceMs)]);
  if (bounds.untilMs !== null) params.push(["until", String(bounds.untilMs)]);
  return queryOptions({
    queryKey: ["environments", params],
    queryFn: ({ signal }) => getJson<EnvironmentOverview>("/api/v1/environments", params, signal),
    placeholderData: keepPreviousData,
    staleTime: 15_000,
  });
}

/** The text of a prompt, by the hash that its manifest tells. */
export function promptQuery(hash: string) {
  return queryOptions({
    queryKey: ["prompt", hash],
    queryFn: ({ signal }) =>
      getJson<StoredDocument>(`/api/v1/documents/prompt/${encodeURIComponent(hash)}`, [], signal),
    staleTime: Number.POSITIVE_INFINITY,
  });
}
