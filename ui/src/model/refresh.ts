/** How often a trace that still runs is asked for again. */

import type { TraceInfo } from "../api/types";

/** Often while it is young; seldom when it has run so long that it has probably crashed. */
export function refreshEveryMs(
  info: Pick<TraceInfo, "state" | "request_time_ms"> | undefined,
  nowMs: number,
): number | false {
  if (info === undefined || info.state !== "IN_PROGRESS") return false;
  const ageMs = nowMs - info.request_time_ms;
  if (ageMs < 60_000) return 1_000;
  return ageMs < 600_000 ? 3_000 : 30_000;
}
