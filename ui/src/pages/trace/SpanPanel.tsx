/** One span: what went in, what came out, and everything recorded about it. */

import type { Json, Span, SpanEvent } from "../../api/types";
import { CopyButton } from "../../components/CopyButton";
import { JsonBlock } from "../../components/JsonBlock";
import { SpanSign } from "../../components/SpanSign";
import { StateMark } from "../../components/StateMark";
import { equals, spanAttributeEquals } from "../../model/filter";
import { formatBytes, formatCost, formatCount, formatDuration } from "../../model/format";
import { toLine, toText } from "../../model/json";
import { Link } from "../../router";
import { buildTracesUrl } from "../traces/url";
import { Rows } from "./Rows";
import styles from "./Panel.module.css";
import { buildTraceUrl } from "./url";

const LONGEST_LINE = 4000;
const LONGEST_CONDITION_VALUE = 300;

export function SpanPanel({ span, traceStartNs }: { span: Span; traceStartNs: bigint }) {
  const start = BigInt(span.start_time_ns);
  const duration = span.end_time_ns === null ? null : Number(BigInt(span.end_time_ns) - start);
  const facts: [string, string][] = [
    ["Duration", duration === null ? "running" : formatDuration(duration)],
    ["Started", `+${formatDuration(Number(start - traceStartNs))}`],
  ];
  if (span.model !== null) facts.push(["Model", [span.provider, span.model].filter(Boolean).join(" / ")]);
  for (const [name, count] of Object.entries(span.usage ?? {})) {
    facts.push([name.replaceAll("_", " "), formatCount(count)]);
  }
  const cost = span.cost?.["total_cost"];
  if (cost !== undefined) facts.push(["Cost", formatCost(cost)]);
  facts.push(["Kind", span.kind], ["Size", formatBytes(span.size_bytes)]);
  const nameCondition = equals("span.name", span.name);
  const exceptions = span.events.filter(isException);
  return (
    <div className={styles.panel}>
      <div className={styles.title}>
        <SpanSign spanType={span.span_type} />
        <h2>{span.name}</h2>
        <StateMark state={span.end_time_ns === null ? "IN_PROGRESS" : span.status} />
      </div>
      <p className={styles.under}>
        {span.span_type} · <code>{span.span_id}</code> <CopyButton text={span.span_id} />
        {nameCondition === null ? null : (
          <Link href={buildTracesUrl({ filter: nameCondition })}>Traces with this span</Link>
        )}
      </p>
      <dl className={styles.facts}>
        {facts.map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {span.status_message === "" ? null : <p className={styles.error}>{span.status_message}</p>}
      {exceptions.map((event, index) => (
        // eslint-disable-next-line react/no-array-index-key -- events have no id and never move
        <Exception key={index} event={event} />
      ))}
      {span.inputs === undefined ? null : <JsonBlock title="Inputs" value={span.inputs} />}
      {span.outputs === undefined ? null : <JsonBlock title="Outputs" value={span.outputs} />}
      <Rows title="Attributes" rows={listRowsOf(span.attributes, true)} />
      {span.events.length > exceptions.length ? (
        <JsonBlock
          title="Events"
          value={span.events
            .filter((event) => !isException(event))
            .map((event) => ({
              name: event.name,
              at: `+${formatDuration(Number(BigInt(event.time_ns) - start))}`,
              attributes: event.attributes,
            }))}
        />
      ) : null}
      {span.links.length === 0 ? null : (
        <section className={styles.section}>
          <h3>Links</h3>
          {span.links.map((link) => (
            <Link
              key={`${link.trace_id}/${link.span_id}`}
              href={buildTraceUrl({ traceId: link.trace_id, spanId: link.span_id })}
            >
              <code>
                {link.trace_id} / {link.span_id}
              </code>
            </Link>
          ))}
        </section>
      )}
      <Rows title="Resource" rows={listRowsOf(span.resource, false)} isFolded />
    </div>
  );
}

function isException(event: SpanEvent): boolean {
  return event.name === "exception";
}

function Exception({ event }: { event: SpanEvent }) {
  const read = (key: string): string => {
    const value = event.attributes[key];
    return value === undefined ? "" : toText(value);
  };
  const stack = read("exception.stacktrace");
  return (
    <section className={styles.exception}>
      <p>
        <strong>{read("exception.type") || "Exception"}</strong> {read("exception.message")}
      </p>
      {stack === "" ? null : (
        <details>
          <summary>Stack trace</summary>
          <pre>{stack}</pre>
        </details>
      )}
    </section>
  );
}

function listRowsOf(values: Record<string, Json>, isFilterable: boolean) {
  return Object.entries(values)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, value]) => ({
      label: key,
      value: toLine(value, LONGEST_LINE),
      condition:
        isFilterable && typeof value === "string" && value.length <= LONGEST_CONDITION_VALUE
          ? spanAttributeEquals(key, value)
          : null,
    }));
}
