/** The listed traces: pages from the server, joined with what the live tail brings. */

import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { ApiError } from "../../api/client";
import { useLastAnswer } from "../../api/lastAnswer";
import { type LiveStatus, useLiveTail } from "../../api/live";
import { facetsQuery, type Scope, tracesQuery } from "../../api/queries";
import type { TraceInfo } from "../../api/types";
import { arrive, joinArrivals, NO_ARRIVALS, rateOf, release } from "../../model/live";
import type { TracesView } from "./url";

const NO_TRACES: readonly TraceInfo[] = [];
const COUNTS_EVERY_MS = 5_000;

export interface TraceList {
  traces: readonly TraceInfo[];
  /** Ids that the live tail brought. */
  fresh: ReadonlySet<string>;
  query: ReturnType<typeof useListQuery>;
  hasPages: boolean;
  /** The rows have come, or why they can't: what stands around them may be asked for now. */
  isAnswered: boolean;
  isFilterWrong: boolean;
  total: { count: number; isSampled: boolean } | null;
  live: { status: LiveStatus; waiting: number; perSecond: number };
  showWaiting: () => void;
  hold: (isHeld: boolean) => void;
  again: () => void;
}

function useListQuery(view: TracesView, scope: Scope) {
  return useInfiniteQuery(tracesQuery({ ...scope, orderBy: view.orderBy }));
}

export function useTraceList(view: TracesView, scope: Scope, restart: () => void): TraceList {
  const queries = useQueryClient();
  const query = useListQuery(view, scope);
  const isAnswered = query.data !== undefined || query.error !== null;
  const counts = useQuery({ ...facetsQuery(scope, ["state"], 3), enabled: isAnswered });
  // A filter that the server refuses leaves the rows that were there.
  const pages = useLastAnswer(query.data)?.pages;
  const listed = useMemo(
    () => pages?.flatMap((page) => page.traces.map(({ info }) => info)) ?? NO_TRACES,
    [pages],
  );
  const [arrivals, setArrivals] = useState(NO_ARRIVALS);
  const scopeKey = JSON.stringify(scope);
  const [arrivedAt, setArrivedAt] = useState(scopeKey);
  if (arrivedAt !== scopeKey || (!view.isLive && arrivals !== NO_ARRIVALS)) {
    setArrivedAt(scopeKey);
    setArrivals(NO_ARRIVALS);
  }
  const isHeld = useRef(false);
  const isUncounted = useRef(false);
  const known = useMemo(() => new Set(listed.map((info) => info.trace_id)), [listed]);
  const again = useCallback(() => {
    restart();
    for (const key of ["traces", "facets", "series"]) void queries.invalidateQueries({ queryKey: [key] });
  }, [queries, restart]);
  const status = useLiveTail(
    view.isLive ? scope : null,
    (info) => {
      isUncounted.current = true;
      const isListed = known.has(info.trace_id);
      setArrivals((now) => arrive(now, info, isListed, isHeld.current, Date.now()));
    },
    again,
  );
  const nowMs = useTick(view.isLive);
  useEffect(() => {
    if (!view.isLive) return;
    const timer = setInterval(() => {
      if (!isUncounted.current) return;
      isUncounted.current = false;
      for (const key of ["series", "facets"]) void queries.invalidateQueries({ queryKey: [key] });
    }, COUNTS_EVERY_MS);
    return () => clearInterval(timer);
  }, [queries, view.isLive]);
  const traces = useMemo(() => joinArrivals(listed, arrivals.shown), [listed, arrivals.shown]);
  const fresh = useMemo(() => new Set(arrivals.shown.keys()), [arrivals.shown]);
  const isFilterWrong = query.error instanceof ApiError && query.error.status === 400;
  return {
    traces,
    fresh,
    query,
    hasPages: pages !== undefined,
    isAnswered,
    isFilterWrong,
    total:
      counts.data === undefined || counts.isPlaceholderData
        ? null
        : { count: counts.data.total, isSampled: counts.data.sampled },
    live: { status, waiting: arrivals.waiting.size, perSecond: rateOf(arrivals, nowMs) },
    showWaiting: useCallback(() => setArrivals(release), []),
    hold: useCallback((held: boolean) => {
      isHeld.current = held;
    }, []),
    again,
  };
}

/** The time, once a second while it matters. */
function useTick(isOn: boolean): number {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    if (!isOn) return;
    const timer = setInterval(() => setNowMs(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [isOn]);
  return nowMs;
}
