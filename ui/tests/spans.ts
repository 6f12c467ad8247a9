import type { Span } from "../src/api/types";

/** A span for tests: everything not said is as plain as can be. */
export function makeSpan(spanId: string, parentId: string | null, values: Partial<Span> = {}): Span {
  return {
    trace_id: "tr-1",
    span_id: spanId,
    parent_id: parentId,
    name: spanId,
    span_type: "UNKNOWN",
    kind: "INTERNAL",
    start_time_ns: "1000",
    end_time_ns: "2000",
    status: "OK",
    status_message: "",
    attributes: {},
    events: [],
    links: [],
    resource: {},
    scope: null,
    model: null,
    provider: null,
    usage: null,
    cost: null,
    size_bytes: 0,
    ...values,
  };
}
