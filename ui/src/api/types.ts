/**
 * What the server says, as `/api/v1` gives it.
 *
 * Times in nanoseconds are decimal strings: they don't fit a JavaScript number.
 */

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

export type TraceState = "OK" | "ERROR" | "IN_PROGRESS" | "STATE_UNSPECIFIED";

export interface TraceInfo {
  trace_id: string;
  experiment_id: string;
  name: string | null;
  state: TraceState;
  request_time_ms: number;
  duration_ns: number | null;
  client_request_id: string | null;
  request_preview: string | null;
  response_preview: string | null;
  environment: string | null;
  app_version: string | null;
  commit: string | null;
  branch: string | null;
  session: string | null;
  user: string | null;
  trace_metadata: Record<string, string>;
  tags: Record<string, string>;
  assessments: Assessment[];
  span_count: number;
  error_count: number;
  input_tokens: number | null;
  output_tokens: number | null;
  total_tokens: number | null;
  cost_usd: number | null;
  size_bytes: number;
  models: string[];
}

export interface Assessment {
  assessment_id: string;
  assessment_name: string;
  span_id?: string | null;
  source?: { source_type: string; source_id?: string };
  create_time?: string;
  feedback?: { value: Json; error?: Json };
  expectation?: { value?: Json; serialized_value?: Json };
  rationale?: string | null;
  valid?: boolean;
}

export interface SpanEvent {
  name: string;
  time_ns: string;
  attributes: Record<string, Json>;
}

export interface SpanLink {
  trace_id: string;
  span_id: string;
  attributes: Record<string, Json>;
}

export interface Span {
  trace_id: string;
  span_id: string;
  parent_id: string | null;
  name: string;
  span_type: string;
  kind: string;
  start_time_ns: string;
  end_time_ns: string | null;
  status: "UNSET" | "OK" | "ERROR";
  status_message: string;
  inputs?: Json;
  outputs?: Json;
  attributes: Record<string, Json>;
  events: SpanEvent[];
  links: SpanLink[];
  resource: Record<string, Json>;
  scope: Json;
  model: string | null;
  provider: string | null;
  usage: Record<string, number> | null;
  cost: Record<string, number> | null;
  size_bytes: number;
}

export interface Conflict {
  key: string;
  kept: string;
  refused: string;
  source: string;
}

export interface Trace {
  info: TraceInfo;
  spans: Span[];
  conflicts: Conflict[];
}

export interface TracePage {
  traces: { info: TraceInfo }[];
  next_cursor: string | null;
  elapsed_ms: number;
}

export interface Experiment {
  experiment_id: string;
  name: string;
  lifecycle_stage: string;
}

export interface Field {
  name: string;
  values: { value: string; count: number }[];
}
