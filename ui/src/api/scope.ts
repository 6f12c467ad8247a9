/** What a page asks about, with a relative time turned into two moments that stay for a while. */

import { useCallback, useMemo, useState } from "react";

import { findBounds, type TimeRange } from "../model/time";
import type { Scope } from "./queries";

const ANCHOR_MS = 300_000;

/** "The last hour" ends at a fixed moment, so that the answers of one page belong together. */
const anchors = new Map<string, number>();

/** The end of a relative time, not older than the reader's last "ask again". */
function anchorOf(time: TimeRange, askedAtMs: number): number {
  const key = time.kind === "last" ? time.text : time.kind;
  const kept = anchors.get(key);
  const nowMs = Date.now();
  if (kept !== undefined && kept >= askedAtMs && nowMs - kept < ANCHOR_MS) return kept;
  anchors.set(key, nowMs);
  return nowMs;
}

interface Asked {
  filter: string;
  time: TimeRange;
  experimentIds: readonly string[];
}

/** What a view is about; its end is not older than the reader's last "ask again". */
export function findScope({ filter, time, experimentIds }: Asked, askedAtMs = 0): Scope {
  return { filter, bounds: findBounds(time, anchorOf(time, askedAtMs)), experimentIds };
}

/** The scope of a view, and a way to move its end to now. */
export function useScope(view: Asked): { scope: Scope; restart: () => void } {
  const [askedAtMs, setAskedAtMs] = useState(0);
  const { filter, time } = view;
  const ids = view.experimentIds.join("\n");
  const scope = useMemo((): Scope => {
    const experimentIds = ids === "" ? [] : ids.split("\n");
    return findScope({ filter, time, experimentIds }, askedAtMs);
  }, [filter, time, ids, askedAtMs]);
  const restart = useCallback(() => {
    setAskedAtMs(Date.now());
  }, []);
  return { scope, restart };
}
