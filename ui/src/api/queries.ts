/** Every question the pages ask, with the key that it is cached under. */

import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";

import { refreshEveryMs } from "../model/refresh";
import { getJson } from "./client";
import type { Experiment, Field, Trace, TracePage } from "./types";

const PAGE_SIZE = 100;
const EMPTY_POLL_MS = 1500;

export interface TraceSearch {
  filter: string;
  orderBy: readonly string[];
  experimentIds: readonly string[];
}

export function tracesQuery(search: TraceSearch) {
  const { filter, orderBy, experimentIds } = search;
  const params: [string, string][] = [["max_results", String(PAGE_SIZE)]];
  if (filter !== "") params.push(["filter", filter]);
  for (const clause of orderBy) params.push(["order_by", clause]);
  for (const id of experimentIds) params.push(["experiment_id", id]);
  return infiniteQueryOptions({
    queryKey: ["traces", filter, orderBy, experimentIds],
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

export function traceQuery(traceId: string) {
  return queryOptions({
    queryKey: ["trace", traceId],
    queryFn: ({ signal }) =>
      getJson<Trace>(`/api/v1/traces/${encodeURIComponent(traceId)}`, [], signal),
    refetchInterval: ({ state }) => refreshEveryMs(state.data?.info, Date.now()),
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

export function fieldsQuery() {
  return queryOptions({
    queryKey: ["fields"],
    queryFn: ({ signal }) => getJson<{ fields: Field[] }>("/api/v1/fields", [], signal),
    staleTime: 15_000,
  });
}
