/** Every question the pages ask, with the key that it is cached under. */

import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";

import { quoteValue } from "../model/filter";
import { refreshEveryMs } from "../model/refresh";
import type { Bounds } from "../model/time";
import { getJson } from "./client";
import type {
  Experiment,
  FacetList,
  Field,
  SavedView,
  Trace,
  TraceDiff,
  TraceGroups,
  TracePage,
  TraceSeries,
} from "./types";

const PAGE_SIZE = 100;
const EMPTY_POLL_MS = 1500;
const RUNNING_POLL_MS = 3000;
const VALUES_SUGGESTED = 30;

/** What the list, its facets and its histogram are all about. */
export interface Scope {
  filter: string;
  experimentIds: readonly string[];
  bounds: Bounds;
}

export interface TraceSearch extends Scope {
  orderBy: readonly string[];
}

export function writeScope({ filter, experimentIds, bounds }: Scope): [string, string][] {
  const params: [string, string][] = [];
  if (filter !== "") params.push(["filter", filter]);
  for (const id of experimentIds) params.push(["experiment_id", id]);
  if (bounds.sinceMs !== null) params.push(["since", String(bounds.sinceMs)]);
  if (bounds.untilMs !== null) params.push(["until", String(bounds.untilMs)]);
  return params;
}

export function tracesQuery(search: TraceSearch) {
  const params = [...writeScope(search), ["max_results", String(PAGE_SIZE)] as const];
  for (const clause of search.orderBy) params.push(["order_by", clause]);
  return infiniteQueryOptions({
    queryKey: ["traces", params],
    queryFn: ({ pageParam, signal }) =>
      getJson<TracePage>(
        "/api/v1/traces",
        pageParam === null ? params : [...params, ["cursor", pageParam] as const],
        signal,
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
    // An empty list waits for the first trace and turns into it by itself.
    refetchInterval: ({ state }) =>
      state.data?.pages[0]?.traces.length === 0 ? EMPTY_POLL_MS : false,
  });
}

/** The first few traces of a filter, to show what they look like. */
export function fewTracesQuery(filter: string, orderBy: string, count: number) {
  const params = [
    ["filter", filter],
    ["order_by", orderBy],
    ["max_results", String(count)],
  ] as const;
  return queryOptions({
    queryKey: ["few traces", params],
    queryFn: ({ signal }) => getJson<TracePage>("/api/v1/traces", params, signal),
    staleTime: 60_000,
  });
}

export function facetsQuery(scope: Scope, fields: readonly string[], limit: number) {
  const params = [
    ...writeScope(scope),
    ...fields.map((field) => ["field", field] as const),
    ["limit", String(limit)] as const,
  ];
  return queryOptions({
    queryKey: ["facets", params],
    queryFn: ({ signal }) => getJson<FacetList>("/api/v1/facets", params, signal),
    placeholderData: keepPreviousData,
  });
}

/** The values of one field that hold a text, the most frequent first. */
export function matchingValuesQuery(field: string, text: string) {
  const pattern = quoteValue(`%${text}%`);
  const params = [
    ["filter", `${field} ILIKE ${pattern ?? "''"}`],
    ["field", field],
    ["own", "true"],
    ["limit", String(VALUES_SUGGESTED)],
  ] as const;
  return queryOptions({
    queryKey: ["facets", params],
    queryFn: ({ signal }) => getJson<FacetList>("/api/v1/facets", params, signal),
    enabled: text !== "" && pattern !== null,
    staleTime: 30_000,
    placeholderData: keepPreviousData,
  });
}

/** The values of one field that a filter could name, the most frequent first. */
export function valuesQuery(field: string, experimentIds: readonly string[]) {
  const scope = { filter: "", experimentIds, bounds: { sinceMs: null, untilMs: null } };
  return queryOptions({ ...facetsQuery(scope, [field], VALUES_SUGGESTED), staleTime: 30_000 });
}

export function seriesQuery(scope: Scope, split: string, buckets: number, lines = 8) {
  const params = [
    ...writeScope(scope),
    ["split", split] as const,
    ["buckets", String(buckets)] as const,
    ["lines", String(lines)] as const,
  ];
  return queryOptions({
    queryKey: ["series", params],
    queryFn: ({ signal }) => getJson<TraceSeries>("/api/v1/series", params, signal),
    placeholderData: keepPreviousData,
  });
}

/** Sessions or users of the traces in a scope, the latest active first; `name`: this one alone. */
export function groupsQuery(by: "session" | "user", scope: Scope, name: string | null = null) {
  const params = writeScope(scope);
  if (name !== null) params.push(["name", name]);
  return infiniteQueryOptions({
    queryKey: ["groups", by, params],
    queryFn: ({ pageParam, signal }) =>
      getJson<TraceGroups>(
        `/api/v1/${by}s`,
        pageParam === null ? params : [...params, ["cursor", pageParam] as const],
        signal,
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      state.data?.pages[0]?.groups.some((group) => group.unfinished > 0) === true
        ? RUNNING_POLL_MS
        : false,
  });
}

export function traceQuery(traceId: string) {
  return queryOptions({
    queryKey: ["trace", traceId],
    queryFn: ({ signal }) =>
      getJson<Trace>(`/api/v1/traces/${encodeURIComponent(traceId)}`, [], signal),
    refetchInterval: ({ state }) => refreshEveryMs(state.data?.info, Date.now()),
  });
}

/** The views that were saved on the server. */
export function viewsQuery() {
  return queryOptions({
    queryKey: ["views"],
    queryFn: ({ signal }) => getJson<{ views: SavedView[] }>("/api/v1/views", [], signal),
    staleTime: 15_000,
  });
}

export function documentQuery(kind: string, hash: string) {
  const path = `/api/v1/documents/${encodeURIComponent(kind)}/${encodeURIComponent(hash)}`;
  return queryOptions({
    queryKey: ["document", kind, hash],
    queryFn: ({ signal }) => getJson<{ text: string }>(path, [], signal),
    staleTime: Infinity,
  });
}

export function traceDiffQuery(baseline: string, candidate: string) {
  const path = `/api/v1/traces/${encodeURIComponent(baseline)}/diff/${encodeURIComponent(candidate)}`;
  return queryOptions({
    queryKey: ["diff", baseline, candidate],
    queryFn: ({ signal }) => getJson<TraceDiff>(path, [], signal),
  });
}

export function experimentsQuery() {
  return queryOptions({
    queryKey: ["experiments"],
    queryFn: ({ signal }) =>
      getJson<{ experiments: Experiment[] }>("/api/v1/experiments", [], signal),
    staleTime: 60_000,
  });
}

export function fieldsQuery(experimentIds: readonly string[] = []) {
  const params = experimentIds.map((id) => ["experiment_id", id] as const);
  return queryOptions({
    queryKey: ["fields", params],
    queryFn: ({ signal }) => getJson<{ fields: Field[] }>("/api/v1/fields", params, signal),
    staleTime: 15_000,
  });
}
