/** Where the trace came from: every piece of its metadata, and what contradicted it. */

import type { Assessment, Conflict, Json, Trace } from "../../api/types";
import { JsonBlock } from "../../components/JsonBlock";
import {
  type ContextRow,
  listFirstContext,
  listOtherMetadata,
  listTags,
} from "../../model/context";
import { equals } from "../../model/filter";
import { formatBytes } from "../../model/format";
import { toLine } from "../../model/json";
import { Rows } from "./Rows";
import styles from "./Panel.module.css";

const LONGEST_VERDICT = 300;

export function ContextPanel({ trace: { info, conflicts } }: { trace: Trace }) {
  const facts: ContextRow[] = [
    { label: "experiment_id", value: info.experiment_id, condition: null },
    { label: "size", value: formatBytes(info.size_bytes), condition: null },
  ];
  if (info.client_request_id !== null) {
    facts.unshift({
      label: "client_request_id",
      value: info.client_request_id,
      condition: equals("client_request_id", info.client_request_id),
    });
  }
  const first = listFirstContext(info);
  return (
    <div className={styles.panel}>
      <Conflicts conflicts={conflicts} />
      {first.length === 0 ? (
        <p className={styles.faint}>
          Nothing says which version or environment this trace came from.
        </p>
      ) : (
        <Rows title="Where it came from" rows={first} />
      )}
      {info.request_preview === null ? null : (
        <JsonBlock title="Request" value={info.request_preview} />
      )}
      {info.response_preview === null ? null : (
        <JsonBlock title="Response" value={info.response_preview} />
      )}
      <Rows title="Metadata" rows={listOtherMetadata(info)} />
      <Rows title="Tags" rows={listTags(info)} />
      <Rows title="Assessments" rows={info.assessments.map(describeAssessment)} />
      <Rows title="Record" rows={facts} />
    </div>
  );
}

function Conflicts({ conflicts }: { conflicts: readonly Conflict[] }) {
  if (conflicts.length === 0) return null;
  return (
    <section className={styles.conflicts} aria-label="Conflicts">
      <h3>Contradicting metadata</h3>
      <ul>
        {conflicts.map((conflict) => (
          <li key={`${conflict.key}/${conflict.source}/${conflict.refused}`}>
            <code>{conflict.key}</code>{" "}
            {conflict.kept === null ? "stays absent" : <>is <strong>{conflict.kept}</strong></>};
            refused{" "}
            <strong>{conflict.refused}</strong> from {conflict.source}
          </li>
        ))}
      </ul>
    </section>
  );
}

function describeAssessment(assessment: Assessment): ContextRow {
  const judged = assessment.feedback ?? assessment.expectation;
  const value = (judged?.value ?? judged?.serialized_value?.value ?? null) as Json;
  const row: ContextRow = {
    label: assessment.assessment_name,
    value: toLine(value, LONGEST_VERDICT),
    condition: null,
  };
  const source = assessment.source.source_id || assessment.source.source_type;
  const note = [source, assessment.rationale].filter(Boolean).join(": ");
  return note === "" ? row : { ...row, note };
}
