/** The list that a trace was opened from: its address, and the traces beside this one. */

import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";

import type { TracePage } from "../../api/types";
import { readLastList } from "../traces/lastList";

export interface Neighbours {
  before: string | null;
  after: string | null;
  /** Where the list is; the plain list where the trace was opened by its address. */
  listHref: string;
}

export function useNeighbours(traceId: string): Neighbours {
  const queries = useQueryClient();
  return useMemo(() => {
    const ids = findList(queries, traceId);
    const at = ids.indexOf(traceId);
    return {
      before: at < 0 ? null : (ids[at - 1] ?? null),
      after: at < 0 ? null : (ids[at + 1] ?? null),
      listHref: readLastList(),
    };
  }, [queries, traceId]);
}

/** The ids of the newest loaded list that holds the trace. */
function findList(queries: QueryClient, traceId: string): readonly string[] {
  const lists = queries
    .getQueryCache()
    .findAll({ queryKey: ["traces"] })
    .toSorted((left, right) => right.state.dataUpdatedAt - left.state.dataUpdatedAt);
  for (const { state } of lists) {
    const pages = (state.data as { pages?: readonly TracePage[] } | undefined)?.pages ?? [];
    const ids = pages.flatMap((page) => page.traces.map(({ info }) => info.trace_id));
    if (ids.includes(traceId)) return ids;
  }
  return [];
}
