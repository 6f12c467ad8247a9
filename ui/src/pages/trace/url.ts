/** The address of one trace: `/traces/<trace_id>?span=<span_id>&view=context`. */

import type { Address } from "../../router";

export interface TraceView {
  traceId: string;
  spanId: string | null;
  /** The side panel shows the trace's context although a span is selected. */
  showsContext: boolean;
}

export function parseTraceUrl({ path, search }: Address): TraceView | null {
  const segment = /^\/traces\/([^/]+)\/?$/.exec(path)?.[1];
  if (segment === undefined) return null;
  const params = new URLSearchParams(search);
  return {
    traceId: decode(segment),
    spanId: params.get("span"),
    showsContext: params.get("view") === "context",
  };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // a lone % was typed by hand
  }
}

export function buildTraceUrl(view: Partial<TraceView> & { traceId: string }): string {
  const params = new URLSearchParams();
  if (view.spanId !== undefined && view.spanId !== null) params.set("span", view.spanId);
  if (view.showsContext === true) params.set("view", "context");
  const query = params.toString();
  const path = `/traces/${encodeURIComponent(view.traceId)}`;
  return query === "" ? path : `${path}?${query}`;
}
