/** The listed traces by session: each session once, where its newest trace stands. */

import type { TraceGroup, TraceInfo } from "../api/types";
import { ABSENT, formatDuration } from "./format";

export interface SessionGroup {
  session: string | null;
  traces: readonly TraceInfo[];
  firstMs: number;
  lastMs: number;
  errors: number;
  tokens: number | null;
}

export type ListRow =
  | { kind: "trace"; info: TraceInfo }
  | { kind: "session"; group: SessionGroup };

export function groupBySession(traces: readonly TraceInfo[]): SessionGroup[] {
  const groups = new Map<string | null, TraceInfo[]>();
  for (const info of traces) {
    const members = groups.get(info.session);
    if (members === undefined) groups.set(info.session, [info]);
    else members.push(info);
  }
  return [...groups].map(([session, members]) => {
    const times = members.map((info) => info.request_time_ms);
    const counted = members.flatMap(({ total_tokens: tokens }) => tokens ?? []);
    return {
      session,
      traces: members,
      firstMs: Math.min(...times),
      lastMs: Math.max(...times),
      errors: members.filter((info) => info.state === "ERROR").length,
      tokens: counted.length === 0 ? null : counted.reduce((sum, one) => sum + one, 0),
    };
  });
}

/** From the beginning of a group's first trace to that of its last; nothing lasts with one only. */
export function formatLasted(group: Pick<TraceGroup, "traces" | "first_ms" | "last_ms">): string {
  return group.traces < 2 ? ABSENT : formatDuration((group.last_ms - group.first_ms) * 1e6);
}

/** The rows of a list, a session's heading before its traces where they are grouped. */
export function listRows(traces: readonly TraceInfo[], isGrouped: boolean): ListRow[] {
  if (!isGrouped) return traces.map((info) => ({ kind: "trace", info }));
  return groupBySession(traces).flatMap((group): ListRow[] => [
    { kind: "session", group },
    ...group.traces.map((info) => ({ kind: "trace" as const, info })),
  ]);
}
