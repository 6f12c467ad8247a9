/** The columns of the Traces tab, as a table: how wide, how aligned, how sorted, what is shown. */

import type { ReactNode } from "react";

import type { TraceInfo } from "../../api/types";
import { StateMark } from "../../components/StateMark";
import {
  ABSENT,
  formatCost,
  formatCount,
  formatDuration,
  formatExactTime,
  formatTime,
} from "../../model/format";

export interface Column {
  id: string;
  title: string;
  /** A CSS grid track. */
  width: string;
  isNumber?: boolean;
  /** The field that `order_by` names. */
  sortField?: string;
  tooltip?: (info: TraceInfo, nowMs: number) => string | null;
  show: (info: TraceInfo, nowMs: number) => ReactNode;
}

function text(id: "environment" | "app_version" | "session" | "user"): Column["show"] {
  return (info) => info[id] ?? ABSENT;
}

export const COLUMNS: readonly Column[] = [
  {
    id: "time",
    title: "Time",
    width: "112px",
    sortField: "timestamp_ms",
    tooltip: (info, nowMs) => formatExactTime(info.request_time_ms, nowMs),
    show: (info, nowMs) => formatTime(info.request_time_ms, nowMs),
  },
  {
    id: "name",
    title: "Name",
    width: "minmax(120px, 0.9fr)",
    sortField: "name",
    tooltip: (info) => info.name,
    show: (info) => info.name ?? info.trace_id,
  },
  {
    id: "state",
    title: "State",
    width: "78px",
    sortField: "status",
    show: (info) => <StateMark state={info.state} />,
  },
  {
    id: "duration",
    title: "Duration",
    width: "82px",
    isNumber: true,
    sortField: "execution_time_ms",
    show: (info) => formatDuration(info.duration_ns),
  },
  { id: "environment", title: "Environment", width: "104px", show: text("environment") },
  {
    id: "app_version",
    title: "Version",
    width: "84px",
    tooltip: (info) => info.app_version,
    show: text("app_version"),
  },
  {
    id: "tokens",
    title: "Tokens",
    width: "64px",
    isNumber: true,
    tooltip: (info) =>
      info.total_tokens === null
        ? null
        : `${formatCount(info.input_tokens)} in, ${formatCount(info.output_tokens)} out`,
    show: (info) => formatCount(info.total_tokens),
  },
  {
    id: "cost",
    title: "Cost",
    width: "68px",
    isNumber: true,
    show: (info) => formatCost(info.cost_usd),
  },
  {
    id: "session",
    title: "Session",
    width: "112px",
    tooltip: (info) => info.session,
    show: text("session"),
  },
  {
    id: "user",
    title: "User",
    width: "80px",
    tooltip: (info) => info.user,
    show: text("user"),
  },
  {
    id: "request",
    title: "Request",
    width: "minmax(140px, 1.4fr)",
    tooltip: (info) => info.request_preview,
    show: (info) => info.request_preview ?? ABSENT,
  },
  {
    id: "response",
    title: "Response",
    width: "minmax(140px, 1.4fr)",
    tooltip: (info) => info.response_preview,
    show: (info) => info.response_preview ?? ABSENT,
  },
];

export const GRID_COLUMNS = COLUMNS.map((column) => column.width).join(" ");
