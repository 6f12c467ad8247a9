/** The address of one trace: `/traces/<trace_id>?span=<span_id>&view=…&find=…&chart=…&only=errors&type=LLM`. */

import type { Address } from "../../router";

export const TABS = [
  "context",
  "chat",
  "io",
  "attributes",
  "events",
  "links",
  "assessments",
  "raw",
] as const;
export type Tab = (typeof TABS)[number];

export const CHARTS = ["waterfall", "flame", "log", "table"] as const;
export type Chart = (typeof CHARTS)[number];

export interface TraceView {
  traceId: string;
  spanId: string | null;
  /** What the side panel shows; null: what suits the span, or the trace's context. */
  tab: Tab | null;
  /** What is looked for inside the trace. */
  find: string;
  onlyErrors: boolean;
  types: readonly string[];
  chart: Chart;
}

export function parseTraceUrl({ path, search }: Address): TraceView | null {
  const segment = /^\/traces\/([^/]+)\/?$/.exec(path)?.[1];
  if (segment === undefined) return null;
  const params = new URLSearchParams(search);
  return {
    traceId: decodeSegment(segment),
    spanId: params.get("span"),
    tab: TABS.find((one) => one === params.get("view")) ?? null,
    find: params.get("find") ?? "",
    onlyErrors: params.get("only") === "errors",
    types: params.getAll("type"),
    chart: CHARTS.find((one) => one === params.get("chart")) ?? "waterfall",
  };
}

export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // a lone % was typed by hand
  }
}

export function buildTraceUrl(view: Partial<TraceView> & { traceId: string }): string {
  const params = new URLSearchParams();
  if (view.spanId !== undefined && view.spanId !== null) params.set("span", view.spanId);
  if (view.tab !== undefined && view.tab !== null) params.set("view", view.tab);
  if (view.find !== undefined && view.find !== "") params.set("find", view.find);
  if (view.chart !== undefined && view.chart !== "waterfall") params.set("chart", view.chart);
  if (view.onlyErrors === true) params.set("only", "errors");
  for (const type of view.types ?? []) params.append("type", type);
  const query = params.toString();
  const path = `/traces/${encodeURIComponent(view.traceId)}`;
  return query === "" ? path : `${path}?${query}`;
}
