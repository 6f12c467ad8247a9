/** What happened during a span: exceptions, folded, and everything else by its time. */

import type { Span, SpanEvent } from "../../api/types";
import { CopyButton } from "../../components/CopyButton";
import { JsonViewer } from "../../components/JsonViewer";
import { formatDuration } from "../../model/format";
import { toText } from "../../model/json";
import styles from "./Panel.module.css";

const MOST_SHOWN = 200;
const LONGEST_MESSAGE = 2000;
const LONGEST_STACK = 100_000;

export function isException(event: SpanEvent): boolean {
  return event.name === "exception";
}

export function ExceptionBlock({ event }: { event: SpanEvent }) {
  const read = (key: string): string => {
    const value = event.attributes[key];
    return value === undefined ? "" : toText(value);
  };
  const stack = read("exception.stacktrace");
  return (
    <section className={styles.exception} aria-label="Exception">
      <p>
        <strong>{read("exception.type") || "Exception"}</strong>{" "}
        {read("exception.message").slice(0, LONGEST_MESSAGE)}
      </p>
      {stack === "" ? null : (
        <details>
          <summary>Stack trace</summary>
          <CopyButton text={stack} />
          <pre>{stack.slice(0, LONGEST_STACK)}</pre>
        </details>
      )}
    </section>
  );
}

export function EventList({ span }: { span: Span }) {
  const start = BigInt(span.start_time_ns);
  const [shown, rest] = [span.events.slice(0, MOST_SHOWN), span.events.length - MOST_SHOWN];
  return (
    <section className={styles.section} aria-label="Events">
      {shown.map((event, index) => {
        const offset = Number(BigInt(event.time_ns) - start);
        const keys = Object.keys(event.attributes).length;
        const title = (
          <>
            <code className={styles.at}>+{formatDuration(offset)}</code> <bdi>{event.name}</bdi>
          </>
        );
        return keys === 0 ? (
          // oxlint-disable-next-line react/no-array-index-key -- events have no id and never move
          <p key={index} className={styles.event}>
            {title}
          </p>
        ) : (
          // oxlint-disable-next-line react/no-array-index-key -- events have no id and never move
          <details key={index} className={styles.event} open={shown.length <= 3}>
            <summary>{title}</summary>
            <JsonViewer title="Attributes" value={event.attributes} />
          </details>
        );
      })}
      {rest > 0 ? <p className={styles.faint}>and {rest} more; Raw has them all</p> : null}
    </section>
  );
}
