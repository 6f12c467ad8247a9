/** What differs: of the traces as a whole, or of the selected span. */

import type { Span, SpanDiff, Trace, TraceDiff, ValueDiff } from "../../api/types";
import { JsonViewer } from "../../components/JsonViewer";
import { StateMark } from "../../components/StateMark";
import { readTyped } from "../../model/assessments";
import { metadataEquals, tagEquals } from "../../model/filter";
import { formatCount, formatDuration } from "../../model/format";
import { toText } from "../../model/json";
import { listChangedTexts, listChangedValues, type MergedNode } from "../../model/mergedTree";
import { Link } from "../../router";
import { buildTraceUrl } from "../trace/url";
import { buildTracesUrl } from "../traces/url";
import { Delta } from "./Delta";
import styles from "./DiffPage.module.css";
import { describeChange } from "./MergedRows";
import { TextChanges } from "./TextChanges";
import { buildDiffUrl, type DiffView } from "./url";

const NS_PER_MS = 1e6;
const MOST_WORDS = 400;

interface DiffPanelProps {
  view: DiffView;
  diff: TraceDiff;
  baseline: Trace;
  candidate: Trace;
  selected: MergedNode | null;
}

export function DiffPanel({ view, diff, baseline, candidate, selected }: DiffPanelProps) {
  if (selected !== null) {
    return (
      <div className={styles.content} key={selected.diff.path}>
        <p>
          <Link href={buildDiffUrl({ ...view, path: null })}>The traces as a whole</Link>
        </p>
        <SpanChanges view={view} node={selected} />
      </div>
    );
  }
  const [asked, answered] = [
    [baseline.info.request_preview, candidate.info.request_preview],
    [baseline.info.response_preview, candidate.info.response_preview],
  ];
  return (
    <div className={styles.content}>
      <h2 className="visually-hidden">The traces as a whole</h2>
      <p className={styles.faint}>Select a span to see what differs in it.</p>
      <Preview title="Request" before={asked?.[0] ?? null} after={asked?.[1] ?? null} />
      <Preview title="Response" before={answered?.[0] ?? null} after={answered?.[1] ?? null} />
      <Values title="Metadata" values={diff.metadata} conditionOf={metadataEquals} />
      <Values title="Tags" values={diff.tags} conditionOf={tagEquals} />
      {diff.metadata.length + diff.tags.length === 0 ? (
        <p className={styles.faint}>Metadata and tags are the same.</p>
      ) : null}
    </div>
  );
}

function Preview({ title, before, after }: { title: string; before: string | null; after: string | null }) {
  if (before === null && after === null) return null;
  const [one, other] = [readTyped(before ?? ""), readTyped(after ?? "")];
  if (before === after) return <JsonViewer title={`${title}, the same in both`} value={other} />;
  return <TextChanges title={title} before={toText(one)} after={toText(other)} />;
}

interface ValuesProps {
  title: string;
  values: readonly ValueDiff[];
  conditionOf: (key: string, value: string) => string | null;
}

function Values({ title, values, conditionOf }: ValuesProps) {
  if (values.length === 0) return null;
  const side = (key: string, value: string | null) => {
    if (value === null) return <span className={styles.faint}>–</span>;
    const condition = value.length > MOST_WORDS ? null : conditionOf(key, value);
    const shown = value === "" ? "(empty)" : value;
    return condition === null ? (
      <bdi>{shown}</bdi>
    ) : (
      <Link href={buildTracesUrl({ filter: condition })} title={`Traces where ${condition}`}>
        <bdi>{shown}</bdi>
      </Link>
    );
  };
  return (
    <table className={styles.values}>
      <caption>{title}</caption>
      <thead>
        <tr>
          <th scope="col">Key</th>
          <th scope="col">A</th>
          <th scope="col">B</th>
        </tr>
      </thead>
      <tbody>
        {values.map(({ key, baseline, candidate }) => (
          <tr key={key}>
            <th scope="row">{key}</th>
            <td>{side(key, baseline)}</td>
            <td>{side(key, candidate)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function SpanChanges({ view, node }: { view: DiffView; node: MergedNode }) {
  const { diff, baseline, candidate } = node;
  return (
    <>
      <h2>
        <bdi>{diff.name}</bdi>
      </h2>
      <p className={styles.faint}>{describeChange(diff)}</p>
      <Sides view={view} diff={diff} />
      {baseline !== null && candidate !== null ? (
        <BothSides diff={diff} baseline={baseline} candidate={candidate} />
      ) : (
        <OneSide span={baseline ?? candidate} />
      )}
    </>
  );
}

function writeMs(ms: number | null): string {
  return ms === null ? "running" : formatDuration(ms * NS_PER_MS);
}

function Sides({ view, diff: { baseline, candidate } }: { view: DiffView; diff: SpanDiff }) {
  const sides = [
    ["A", view.baseline, baseline],
    ["B", view.candidate, candidate],
  ] as const;
  return (
    <table className={styles.values}>
      <thead>
        <tr>
          <th scope="col">
            <span className="visually-hidden">Fact</span>
          </th>
          {sides.map(([letter, traceId, side]) => (
            <th key={letter} scope="col">
              {letter}{" "}
              {side === null ? null : (
                <Link href={buildTraceUrl({ traceId, spanId: side.span_id })}>open</Link>
              )}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        <tr>
          <th scope="row">Status</th>
          {sides.map(([letter, , side]) => (
            <td key={letter}>{side === null ? "–" : <StateMark state={side.status} />}</td>
          ))}
        </tr>
        <tr>
          <th scope="row">Duration</th>
          <td>{baseline === null ? "–" : writeMs(baseline.duration_ms)}</td>
          <td>
            {candidate === null ? "–" : writeMs(candidate.duration_ms)}{" "}
            <Delta before={baseline?.duration_ms ?? null} after={candidate?.duration_ms ?? null} />
          </td>
        </tr>
        <tr>
          <th scope="row" title="Its own time on the critical path">
            Critical
          </th>
          <td>{baseline === null ? "–" : writeMs(baseline.own_ms)}</td>
          <td>
            {candidate === null ? "–" : writeMs(candidate.own_ms)}{" "}
            <Delta before={baseline?.own_ms ?? null} after={candidate?.own_ms ?? null} />
          </td>
        </tr>
        {(baseline?.model ?? candidate?.model ?? null) === null ? null : (
          <tr>
            <th scope="row">Model</th>
            <td>{baseline?.model ?? "–"}</td>
            <td>{candidate?.model ?? "–"}</td>
          </tr>
        )}
        {(baseline?.total_tokens ?? candidate?.total_tokens ?? null) === null ? null : (
          <tr>
            <th scope="row">Tokens</th>
            <td>{formatCount(baseline?.total_tokens ?? null)}</td>
            <td>{formatCount(candidate?.total_tokens ?? null)}</td>
          </tr>
        )}
      </tbody>
    </table>
  );
}

function BothSides({ diff, baseline, candidate }: { diff: SpanDiff; baseline: Span; candidate: Span }) {
  const texts = listChangedTexts(baseline, candidate);
  const values = listChangedValues(diff.attributes, baseline, candidate);
  return (
    <>
      {texts.map((text) => (
        <TextChanges key={text.title} {...text} />
      ))}
      {texts.length === 0 ? (
        <p className={styles.faint}>Inputs and outputs are the same.</p>
      ) : null}
      {values.length === 0 ? null : (
        <section className={styles.section} aria-label="Attributes">
          <h3>Attributes</h3>
          {values.map(({ key, before, after }) => (
            <TextChanges key={key} title={key} before={before ?? ""} after={after ?? ""} isSmall />
          ))}
        </section>
      )}
    </>
  );
}

function OneSide({ span }: { span: Span | null }) {
  if (span === null) return null;
  return (
    <>
      {span.inputs === undefined ? null : <JsonViewer title="Inputs" value={span.inputs} />}
      {span.outputs === undefined ? null : <JsonViewer title="Outputs" value={span.outputs} />}
      <JsonViewer title="Attributes" value={span.attributes} />
    </>
  );
}
