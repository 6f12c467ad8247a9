/** One turn of a conversation: what was asked, what was answered, and what it took. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { traceQuery } from "../../api/queries";
import type { Json } from "../../api/types";
import { JsonViewer } from "../../components/JsonViewer";
import { Problem } from "../../components/Problem";
import { StateMark } from "../../components/StateMark";
import { type Change, isLongPause, readSaid, type Turn } from "../../model/conversation";
import {
  formatCost,
  formatCount,
  formatDuration,
  formatExactTime,
  formatTime,
  nameTrace,
  shortenCommit,
} from "../../model/format";
import { toLine } from "../../model/json";
import { Link } from "../../router";
import { buildTraceUrl } from "../trace/url";
import styles from "./Groups.module.css";

const NS_PER_MS = 1e6;
const LONGEST_VALUE = 60;

export function TurnItem({ turn, nowMs }: { turn: Turn; nowMs: number }) {
  const { info, changes, pauseMs } = turn;
  const [isWhole, setWhole] = useState(false);
  const feedback = info.assessments.filter(({ feedback: given, valid }) => given && valid);
  return (
    <li className={styles.turn}>
      {isLongPause(pauseMs) ? (
        <p className={styles.pause}>{formatDuration(pauseMs * NS_PER_MS)} later</p>
      ) : null}
      {changes.map((change) => (
        <p key={change.what} className={styles.change}>
          {describe(change)}
        </p>
      ))}
      {isWhole ? (
        <Whole traceId={info.trace_id} />
      ) : (
        <>
          <Said who="Request" look={styles.asked} text={info.request_preview} />
          <Said
            who="Response"
            look={info.state === "ERROR" ? styles.failure : styles.answered}
            text={info.response_preview}
          />
        </>
      )}
      <p className={styles.meta}>
        <StateMark state={info.state} />
        <Link href={buildTraceUrl({ traceId: info.trace_id })}>{nameTrace(info)}</Link>
        <span title={formatExactTime(info.request_time_ms, nowMs)}>
          {formatTime(info.request_time_ms, nowMs)}
        </span>
        <span>{formatDuration(info.duration_ns)}</span>
        {info.total_tokens === null ? null : <span>{formatCount(info.total_tokens)} tokens</span>}
        {info.cost_usd === null ? null : <span>{formatCost(info.cost_usd)}</span>}
        {feedback.map((one) => (
          <span key={one.assessment_id} className={styles.feedback} title={one.rationale}>
            {one.assessment_name}: {toLine((one.feedback?.value ?? null) as Json, LONGEST_VALUE)}
          </span>
        ))}
        <button
          type="button"
          className={styles.whole}
          aria-expanded={isWhole}
          onClick={() => setWhole(!isWhole)}
        >
          {isWhole ? "Show less" : "Show whole"}
        </button>
      </p>
    </li>
  );
}

interface SaidProps {
  who: string;
  look: string | undefined;
  text: string | null;
}

function Said({ who, look, text }: SaidProps) {
  if (text === null || text === "") return null;
  return (
    <div className={`${styles.said} ${look}`} dir="auto">
      <h2 className="visually-hidden">{who}</h2>
      {readSaid(text)}
    </div>
  );
}

/** The inputs and outputs of the trace's root, which the previews cut short. */
function Whole({ traceId }: { traceId: string }) {
  const { data, error, refetch } = useQuery(traceQuery(traceId));
  if (error !== null) return <Problem error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <p className={styles.note}>Loading…</p>;
  const root = data.spans.find((span) => span.parent_id === null) ?? data.spans[0];
  return (
    <div className={styles.blocks}>
      {root?.inputs === undefined ? null : <JsonViewer title="Inputs" value={root.inputs} />}
      {root?.outputs === undefined ? null : <JsonViewer title="Outputs" value={root.outputs} />}
    </div>
  );
}

function describe({ what, from, to }: Change): string {
  const show = (value: string | null): string =>
    value === null ? "none" : what === "commit" ? shortenCommit(value) : value;
  return `${what} changed from ${show(from)} to ${show(to)}`;
}
