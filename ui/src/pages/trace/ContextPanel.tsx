/** Where the trace came from: the card that answers it at a glance, then every piece of its metadata. */

import type { Conflict, Trace } from "../../api/types";
import { JsonViewer } from "../../components/JsonViewer";
import { type ContextRow, listOtherMetadata } from "../../model/context";
import { equals } from "../../model/filter";
import { formatBytes } from "../../model/format";
import { readTyped } from "../../model/assessments";
import { ContextCard } from "./ContextCard";
import { Rows } from "./Rows";
import styles from "./Panel.module.css";
import { Tags } from "./Tags";

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
  return (
    <div className={styles.panel}>
      <Conflicts conflicts={conflicts} />
      <ContextCard info={info} />
      {info.request_preview === null ? null : (
        <JsonViewer title="Request" value={readTyped(info.request_preview)} />
      )}
      {info.response_preview === null ? null : (
        <JsonViewer title="Response" value={readTyped(info.response_preview)} />
      )}
      <Tags info={info} />
      <Rows title="Metadata" rows={listOtherMetadata(info)} />
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
