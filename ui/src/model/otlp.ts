/**
 * A trace as an OTLP/JSON request that any collector takes. What OTLP has no place for rides as
 * Whence's own attributes: inputs and outputs on each span, metadata and tags on the root.
 */

import type { Json, Span, Trace } from "../api/types";

const KINDS = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
const STATUSES = ["UNSET", "OK", "ERROR"];

type Values = Readonly<Record<string, Json>>;

/** Null where the trace's id has no form in OTLP: one that is not `tr-` and 32 hex digits. */
export function writeOtlp({ info, spans }: Trace): Json | null {
  const traceId = info.trace_id.replace(/^tr-/, "");
  if (!/^[0-9a-f]{32}$/.test(traceId)) return null;
  const top = spans.find((span) => span.parent_id === null) ?? spans[0];
  const groups = new Map<string, { resource: Values; spans: Json[] }>();
  for (const span of spans) {
    const key = JSON.stringify(span.resource);
    const group = groups.get(key) ?? { resource: span.resource, spans: [] };
    groups.set(key, group);
    group.spans.push(writeSpan(span, traceId, span === top ? writeContext(info) : {}));
  }
  return {
    resourceSpans: [...groups.values()].map((group) => ({
      resource: {
        attributes: writeValues({ ...group.resource, "mlflow.experimentId": info.experiment_id }),
      },
      scopeSpans: [{ spans: group.spans }],
    })),
  };
}

function writeContext(info: Trace["info"]): Values {
  const found: Record<string, Json> = {};
  for (const [key, value] of Object.entries(info.trace_metadata)) found[`whence.metadata.${key}`] = value;
  for (const [key, value] of Object.entries(info.tags)) found[`mlflow.traceTag.${key}`] = value;
  return found;
}

function writeSpan(span: Span, traceId: string, context: Values): Json {
  const attributes: Record<string, Json> = { ...span.attributes, ...context };
  if (span.inputs !== undefined) attributes["whence.inputs"] = JSON.stringify(span.inputs);
  if (span.outputs !== undefined) attributes["whence.outputs"] = JSON.stringify(span.outputs);
  if (span.end_time_ns === null) attributes["whence.pending"] = true;
  return {
    traceId,
    spanId: span.span_id,
    ...(span.parent_id === null ? {} : { parentSpanId: span.parent_id }),
    name: span.name,
    kind: Math.max(0, KINDS.indexOf(span.kind)),
    startTimeUnixNano: span.start_time_ns,
    endTimeUnixNano: span.end_time_ns ?? "0",
    attributes: writeValues(attributes),
    events: span.events.map((event) => ({
      name: event.name,
      timeUnixNano: event.time_ns,
      attributes: writeValues(event.attributes),
    })),
    links: span.links.map((link) => ({
      traceId: link.trace_id.replace(/^tr-/, ""),
      spanId: link.span_id,
      attributes: writeValues(link.attributes),
    })),
    status: { code: Math.max(0, STATUSES.indexOf(span.status)), message: span.status_message },
  };
}

function writeValues(values: Values): Json {
  return Object.entries(values).map(([key, value]) => ({ key, value: writeValue(value) }));
}

function writeValue(value: Json): Json {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number") {
    return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  }
  if (value === null) return {};
  if (Array.isArray(value)) {
    return { arrayValue: { values: (value as readonly Json[]).map(writeValue) } };
  }
  return { kvlistValue: { values: writeValues(value as Values) } };
}
