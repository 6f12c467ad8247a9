/** The trace's tags, changed in place: the only labels of a trace that may change. */

import { type FormEvent, useState } from "react";

import { deleteTag, setTag } from "../../api/changes";
import type { TraceInfo } from "../../api/types";
import { CopyButton } from "../../components/CopyButton";
import { listTags } from "../../model/context";
import { Link } from "../../router";
import { buildTracesUrl } from "../traces/url";
import styles from "./Edits.module.css";
import { useChange } from "./useChange";

const LONGEST_KEY = 250;

export function Tags({ info }: { info: TraceInfo }) {
  const [edited, setEdited] = useState<string | null>(null);
  const change = useChange(info.trace_id);
  const rows = listTags(info);
  const save = (key: string, value: string): void =>
    change.run(() => setTag(info.trace_id, key, value), () => setEdited(null));
  return (
    <section className={styles.section} aria-label="Tags">
      <header>
        <h3>Tags</h3>
        <button type="button" className={styles.tool} onClick={() => setEdited("")}>
          Add a tag
        </button>
      </header>
      {change.problem === null ? null : (
        <p className={styles.problem} role="alert">
          {change.problem}
        </p>
      )}
      {rows.length === 0 && edited === null ? <p className={styles.faint}>No tags.</p> : null}
      {rows.map((row) =>
        edited === row.label ? (
          <TagForm
            key={row.label}
            name={row.label}
            value={row.value}
            isBusy={change.isBusy}
            onSave={save}
            onCancel={() => setEdited(null)}
          />
        ) : (
          <div key={row.label} className={styles.row}>
            <span className={styles.key}>{row.label}</span>
            <span className={styles.value}>
              {row.value === "" ? <span className={styles.faint}>(empty)</span> : <bdi>{row.value}</bdi>}
            </span>
            <span className={styles.actions}>
              {row.condition === null ? null : (
                <Link href={buildTracesUrl({ filter: row.condition })} title={`Traces where ${row.condition}`}>
                  Filter by this
                </Link>
              )}
              <CopyButton text={row.value} />
              <button
                type="button"
                className={styles.tool}
                aria-label={`Edit the tag ${row.label}`}
                onClick={() => setEdited(row.label)}
              >
                Edit
              </button>
              <button
                type="button"
                className={styles.tool}
                aria-label={`Delete the tag ${row.label}`}
                disabled={change.isBusy}
                onClick={() => change.run(() => deleteTag(info.trace_id, row.label))}
              >
                Delete
              </button>
            </span>
          </div>
        ),
      )}
      {edited === "" ? (
        <TagForm name="" value="" isBusy={change.isBusy} onSave={save} onCancel={() => setEdited(null)} />
      ) : null}
    </section>
  );
}

interface TagFormProps {
  name: string;
  value: string;
  isBusy: boolean;
  onSave: (key: string, value: string) => void;
  onCancel: () => void;
}

function TagForm({ name, value, isBusy, onSave, onCancel }: TagFormProps) {
  const [key, setKey] = useState(name);
  const [text, setText] = useState(value);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onSave(key.trim(), text);
  };
  return (
    <form className={styles.form} onSubmit={submit}>
      <div className={styles.pair}>
        {name === "" ? (
          <label>
            Key
            {/* oxlint-disable-next-line jsx-a11y/no-autofocus -- it opens on a click that asked for it */}
            <input autoFocus value={key} maxLength={LONGEST_KEY} onChange={(event) => setKey(event.target.value)} />
          </label>
        ) : null}
        <label>
          {name === "" ? "Value" : `Value of ${name}`}
          {/* oxlint-disable-next-line jsx-a11y/no-autofocus -- it opens on a click that asked for it */}
          <input autoFocus={name !== ""} value={text} onChange={(event) => setText(event.target.value)} />
        </label>
      </div>
      <div className={styles.buttons}>
        <button type="submit" className="solid-button" disabled={isBusy || key.trim() === ""}>
          Save
        </button>
        <button type="button" className="quiet-button" onClick={onCancel}>
          Cancel
        </button>
      </div>
    </form>
  );
}
