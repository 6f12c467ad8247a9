/** One span: what it is, what went wrong, and the tab that was chosen. */

import { Fragment } from "react";

import type { Span } from "../../api/types";
import { CopyButton } from "../../components/CopyButton";
import { JsonViewer } from "../../components/JsonViewer";
import { SpanSign } from "../../components/SpanSign";
import { StateMark } from "../../components/StateMark";
import { equals } from "../../model/filter";
import { formatBytes, formatCost, formatCount, formatDuration, nameSpan } from "../../model/format";
import { listSelfStretches, measureStretches } from "../../model/ownTime";
import { listPinned } from "../../model/pinned";
import type { SpanNode } from "../../model/spanTree";
import { Link } from "../../router";
import { buildTracesUrl } from "../traces/url";
import { AttributesView } from "./AttributesView";
import { ChatView } from "./ChatView";
import { EventList, ExceptionBlock, isException } from "./Events";
import styles from "./Panel.module.css";
import { buildTraceUrl, type Tab } from "./url";
import { usePinned } from "./usePinned";
import type { Tree } from "./useTree";

const MOST_EXCEPTIONS = 5;

interface SpanPanelProps {
  node: SpanNode;
  span: Span;
  tree: Tree;
  tab: Tab;
}

export function SpanPanel({ node, span, tree, tab }: SpanPanelProps) {
  const exceptions = span.events.filter(isException);
  const said = exceptions.map((event) => event.attributes["exception.message"]);
  const nameCondition = equals("span.name", span.name);
  return (
    <div className={styles.panel}>
      <div className={styles.title}>
        <SpanSign spanType={span.span_type} />
        <h2>
          <bdi>{nameSpan(span.name)}</bdi>
        </h2>
        <StateMark state={span.end_time_ns === null ? "IN_PROGRESS" : span.status} />
      </div>
      <p className={styles.under}>
        {span.span_type} · <code>{span.span_id}</code> <CopyButton text={span.span_id} />
        {nameCondition === null ? null : (
          <Link href={buildTracesUrl({ filter: nameCondition })}>Traces with this span</Link>
        )}
      </p>
      <Facts node={node} span={span} tree={tree} />
      {span.status_message === "" || said.includes(span.status_message) ? null : (
        <p className={styles.error}>{span.status_message}</p>
      )}
      {exceptions.slice(0, MOST_EXCEPTIONS).map((event, index) => (
        // oxlint-disable-next-line react/no-array-index-key -- events have no id and never move
        <ExceptionBlock key={index} event={event} />
      ))}
      {tab === "chat" ? <ChatView span={span} /> : null}
      {tab === "io" ? <Payloads span={span} /> : null}
      {tab === "attributes" ? <AttributesView span={span} /> : null}
      {tab === "events" ? <EventList span={span} /> : null}
      {tab === "links" ? <LinkList span={span} /> : null}
      {tab === "raw" ? <JsonViewer title="The span as the server answers it" value={rawOf(span)} /> : null}
    </div>
  );
}

function rawOf(span: Span) {
  // A span is JSON as it came; its type says so only of its parts.
  return span as unknown as { readonly [key: string]: never };
}

function Facts({ node, span, tree }: Omit<SpanPanelProps, "tab">) {
  const times = tree.times.get(node);
  const pins = usePinned();
  const facts: [string, string, string?][] = [];
  if (times !== undefined) {
    const whole = times.end - times.start;
    facts.push(
      ["Duration", times.isOpen ? "running" : formatDuration(whole)],
      ["Started", `+${formatDuration(times.start)}`],
    );
    if (node.children.length > 0) {
      const own = measureStretches(listSelfStretches(node, tree.times));
      facts.push(["Self time", formatDuration(own), "While none of its children ran"]);
    }
    const critical = measureStretches(tree.criticalPath.get(node) ?? []);
    const share = Math.round((critical / tree.extent.lengthNs) * 100);
    const waited = critical === 0 ? "not on it" : `${formatDuration(critical)} (${share} %)`;
    facts.push(["Critical path", waited, "Its own time that the whole trace waited for"]);
  }
  if (span.model !== null) {
    facts.push(["Model", [span.provider, span.model].filter(Boolean).join(" / ")]);
  }
  for (const [name, count] of Object.entries(span.usage ?? {})) {
    facts.push([name.replaceAll("_", " "), formatCount(count)]);
  }
  const cost = span.cost?.["total_cost"];
  if (cost !== undefined) facts.push(["Cost", formatCost(cost)]);
  facts.push(["Kind", span.kind.toLowerCase()], ["Size", formatBytes(span.size_bytes)]);
  return (
    <dl className={styles.facts}>
      {facts.map(([label, value, about]) => (
        <div key={label} title={about}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
      {listPinned(span, pins.keys).map(([key, value]) => (
        <div key={key} data-pinned="">
          <dt>{key}</dt>
          <dd>
            <bdi>{value}</bdi>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Payloads({ span }: { span: Span }) {
  return (
    <>
      {span.inputs === undefined ? null : <JsonViewer title="Inputs" value={span.inputs} />}
      {span.outputs === undefined ? null : <JsonViewer title="Outputs" value={span.outputs} />}
    </>
  );
}

function LinkList({ span }: { span: Span }) {
  return (
    <section className={styles.section} aria-label="Links">
      {span.links.map((link, index) => (
        // oxlint-disable-next-line react/no-array-index-key -- links have no id and never move
        <Fragment key={index}>
          <p className={styles.link}>
            <Link href={buildTraceUrl({ traceId: link.trace_id, spanId: link.span_id })}>
              <code>{link.trace_id}</code>
            </Link>{" "}
            span <code>{link.span_id}</code>
          </p>
          {Object.keys(link.attributes).length === 0 ? null : (
            <JsonViewer title="Attributes of the link" value={link.attributes} />
          )}
        </Fragment>
      ))}
    </section>
  );
}
