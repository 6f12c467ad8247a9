/** The columns of the Traces tab, as a table: how wide, how aligned, how sorted, what is shown. */

import type { ReactNode } from "react";

import type { TraceInfo } from "../../api/types";
import { StateMark } from "../../components/StateMark";
import { type ColumnChoice, readKeyedColumn } from "../../model/columns";
import {
  ABSENT,
  formatCost,
  formatCount,
  formatDuration,
  formatExactTime,
  formatTime,
  nameTrace,
  shortenCommit,
} from "../../model/format";

export interface Column {
  id: string;
  title: string;
  /** In pixels; with `grows`, the least. */
  width: number;
  /** The share of the room that is left. */
  grows?: number;
  isNumber?: boolean;
  /** Less important than the others: written softer. */
  isSoft?: boolean;
  /** The field that `order_by` names. */
  sortField?: string;
  tooltip?: (info: TraceInfo, nowMs: number) => string | null;
  show: (info: TraceInfo, nowMs: number) => ReactNode;
}

type TextField = "environment" | "app_version" | "session" | "user" | "branch";

function text(id: TextField): Pick<Column, "id" | "show" | "tooltip" | "sortField"> {
  return { id, sortField: id, tooltip: (info) => info[id], show: (info) => info[id] ?? ABSENT };
}

export const COLUMNS: readonly Column[] = [
  {
    id: "time",
    title: "Time",
    width: 112,
    isSoft: true,
    sortField: "timestamp_ms",
    tooltip: (info, nowMs) => formatExactTime(info.request_time_ms, nowMs),
    show: (info, nowMs) => formatTime(info.request_time_ms, nowMs),
  },
  {
    id: "name",
    title: "Name",
    width: 130,
    grows: 0.9,
    sortField: "name",
    tooltip: (info) => info.name,
    show: nameTrace,
  },
  {
    id: "state",
    title: "State",
    width: 78,
    sortField: "status",
    show: (info) => <StateMark state={info.state} />,
  },
  {
    id: "duration",
    title: "Duration",
    width: 82,
    isNumber: true,
    sortField: "execution_time_ms",
    tooltip: (info) => (info.state === "IN_PROGRESS" ? "It runs still: what its spans tell so far" : null),
    show: (info) =>
      info.state === "IN_PROGRESS" && info.duration_ns !== null
        ? `≥ ${formatDuration(info.duration_ns)}`
        : formatDuration(info.duration_ns),
  },
  { ...text("environment"), title: "Environment", width: 106 },
  { ...text("app_version"), title: "Version", width: 84 },
  {
    id: "tokens",
    title: "Tokens",
    width: 64,
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
    width: 84,
    isNumber: true,
    show: (info) => formatCost(info.cost_usd),
  },
  { ...text("session"), title: "Session", width: 112, isSoft: true },
  { ...text("user"), title: "User", width: 84, isSoft: true },
  {
    id: "request",
    title: "Request",
    width: 140,
    grows: 1.4,
    isSoft: true,
    tooltip: (info) => info.request_preview,
    show: (info) => info.request_preview ?? ABSENT,
  },
  {
    id: "response",
    title: "Response",
    width: 140,
    grows: 1.4,
    isSoft: true,
    tooltip: (info) => info.response_preview,
    show: (info) => info.response_preview ?? ABSENT,
  },
  {
    id: "commit",
    title: "Commit",
    width: 110,
    sortField: "commit",
    tooltip: (info) => info.commit,
    show: (info) => (info.commit === null ? ABSENT : shortenCommit(info.commit)),
  },
  { ...text("branch"), title: "Branch", width: 110 },
  {
    id: "models",
    title: "Models",
    width: 130,
    tooltip: (info) => info.models.join(", "),
    show: (info) => info.models.join(", ") || ABSENT,
  },
  {
    id: "tags",
    title: "Tags",
    width: 160,
    tooltip: writeTags,
    show: (info) => writeTags(info) || ABSENT,
  },
  {
    id: "assessments",
    title: "Assessments",
    width: 130,
    tooltip: writeAssessments,
    show: (info) => writeAssessments(info) || ABSENT,
  },
  {
    id: "spans",
    title: "Spans",
    width: 60,
    isNumber: true,
    show: (info) => formatCount(info.span_count),
  },
  {
    id: "errors",
    title: "Errors",
    width: 60,
    isNumber: true,
    show: (info) => formatCount(info.error_count),
  },
  {
    id: "input_tokens",
    title: "Tokens in",
    width: 80,
    isNumber: true,
    show: (info) => formatCount(info.input_tokens),
  },
  {
    id: "output_tokens",
    title: "Tokens out",
    width: 84,
    isNumber: true,
    show: (info) => formatCount(info.output_tokens),
  },
  {
    id: "trace_id",
    title: "Trace id",
    width: 270,
    isSoft: true,
    sortField: "trace_id",
    show: (info) => info.trace_id,
  },
];

export const DEFAULT_COLUMNS: readonly string[] = [
  "time",
  "name",
  "state",
  "environment",
  "app_version",
  "duration",
  "tokens",
  "cost",
  "request",
  "response",
  "session",
  "user",
];
export const COLUMN_IDS: readonly string[] = COLUMNS.map(({ id }) => id);
const BY_ID = new Map(COLUMNS.map((column) => [column.id, column]));

function writeTags(info: TraceInfo): string {
  return Object.entries(info.tags)
    .map(([key, value]) => `${key}=${value}`)
    .join(", ");
}

function writeAssessments(info: TraceInfo): string {
  return info.assessments
    .map((one) => {
      const value = (one.feedback ?? one.expectation)?.value;
      return value === undefined
        ? one.assessment_name
        : `${one.assessment_name}: ${typeof value === "string" ? value : JSON.stringify(value)}`;
    })
    .join(", ");
}

/** A column by its id, also of any metadata key or tag. */
export function findColumn(id: string): Column {
  const known = BY_ID.get(id);
  if (known !== undefined) return known;
  const keyed = readKeyedColumn(id);
  const read = (info: TraceInfo): string | null => {
    if (keyed === null) return null;
    return (keyed.from === "tags" ? info.tags : info.trace_metadata)[keyed.key] ?? null;
  };
  return {
    id,
    title: keyed?.key ?? id,
    width: 130,
    sortField: id,
    tooltip: read,
    show: (info) => read(info) ?? ABSENT,
  };
}

export const MARK_PX = 34;

/** The grid's tracks, and the least width of a row in pixels. */
export function layOut(choice: ColumnChoice): { columns: Column[]; tracks: string; leastPx: number } {
  const columns = choice.ids.map(findColumn);
  const tracks = columns.map(({ id, width, grows }) => {
    const chosen = choice.widths[id];
    if (chosen !== undefined) return `${chosen}px`;
    return grows === undefined ? `${width}px` : `minmax(${width}px, ${grows}fr)`;
  });
  const widths = columns.map(({ id, width }) => choice.widths[id] ?? width);
  const leastPx = widths.reduce((sum, width) => sum + width + 14, MARK_PX + 32);
  return { columns, tracks: [`${MARK_PX}px`, ...tracks].join(" "), leastPx };
}
