/** What can be done with the selected traces: compare two, tag, export, delete. */

import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import { deleteTraces, exportTraces, tagTraces } from "../../api/changes";
import { ApiError } from "../../api/client";
import type { Trace } from "../../api/types";
import { Dialog } from "../../components/Dialog";
import { Menu, MenuClose } from "../../components/Menu";
import { saveText } from "../../kept";
import { formatCount, formatNumberOf } from "../../model/format";
import { writeOtlp } from "../../model/otlp";
import { Link } from "../../router";
import menus from "../../components/menus.module.css";
import styles from "./TracesPage.module.css";

interface SelectionBarProps {
  selected: ReadonlySet<string>;
  onClear: () => void;
  /** Where two traces are compared; null where no page does that, or others than two are selected. */
  diffHref: string | null;
}

export function SelectionBar({ selected, onClear, diffHref }: SelectionBarProps) {
  const queries = useQueryClient();
  const [said, setSaid] = useState<{ text: string; isError: boolean } | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [isAsking, setAsking] = useState(false);
  const ids = [...selected];
  const work = async (what: string, action: (onStep: (done: number) => void) => Promise<string>): Promise<void> => {
    setBusy(true);
    const onStep = (done: number): void =>
      setSaid({ text: `${what}: ${formatCount(done)} of ${formatCount(ids.length)}`, isError: false });
    try {
      setSaid({ text: `${what}…`, isError: false });
      setSaid({ text: await action(onStep), isError: false });
    } catch (error) {
      setSaid({ text: `${what} failed: ${describeError(error)}`, isError: true });
    } finally {
      setBusy(false);
    }
  };
  const refresh = (): Promise<unknown> =>
    Promise.all(["traces", "facets", "series", "fields"].map((key) => queries.invalidateQueries({ queryKey: [key] })));
  const count = formatNumberOf(ids.length, "trace");
  const tag = (key: string, value: string): Promise<void> =>
    work("Tagging", async (onStep) => {
      await tagTraces(ids, key, value, onStep);
      await refresh();
      return `Tagged ${count}: ${key} = ${value}`;
    });
  const remove = (): Promise<void> =>
    work("Deleting", async () => {
      const deleted = await deleteTraces(ids);
      onClear();
      await refresh();
      return `Deleted ${formatNumberOf(deleted, "trace")}`;
    });
  const save = (write: (trace: Trace) => unknown, name: string): Promise<void> =>
    work("Reading", async (onStep) => {
      const { text, written } = await exportTraces(ids, write, onStep);
      if (written > 0) saveText(text, name, "application/x-ndjson");
      const left = ids.length - written;
      return `Exported ${formatNumberOf(written, "trace")} to ${name}${
        left === 0 ? "" : `; ${formatCount(left)} left out: OTLP has no form for their ids`
      }`;
    });
  if (ids.length === 0 && said === null) return null;
  return (
    <div className={styles.selection} role="region" aria-label="Selected traces">
      {ids.length === 0 ? null : (
        <>
          <strong>{formatCount(ids.length)} selected</strong>
          {diffHref === null ? null : (
            <Link href={diffHref} className="quiet-button">
              Compare
            </Link>
          )}
          <TagMenu isBusy={isBusy} onTag={tag} />
          <Menu title="Export the selected traces" label="Export">
            <div className={styles.exports}>
              <MenuClose disabled={isBusy} onClick={() => void save((trace) => trace, "traces.jsonl")}>
                JSON lines <span>as the API answers them</span>
              </MenuClose>
              <MenuClose disabled={isBusy} onClick={() => void save(writeOtlp, "traces.otlp.jsonl")}>
                OTLP <span>a request a line, for any OpenTelemetry collector</span>
              </MenuClose>
            </div>
          </Menu>
          <button
            type="button"
            className={`quiet-button ${styles.danger}`}
            disabled={isBusy}
            onClick={() => setAsking(true)}
          >
            Delete…
          </button>
        </>
      )}
      <span role="status" className={said?.isError === true ? styles.failed : undefined}>
        {said?.text}
      </span>
      <button
        type="button"
        className={menus.small}
        onClick={() => {
          setSaid(null);
          onClear();
        }}
        aria-label={ids.length === 0 ? "Close" : "Select none"}
        title={ids.length === 0 ? "Close" : "Select none"}
      >
        ×
      </button>
      {isAsking ? (
        <Dialog title={`Delete ${count}?`} onClose={() => setAsking(false)}>
          <p>They are deleted for good, with their spans, tags and assessments. Nothing brings them back.</p>
          <form method="dialog" className={styles.answer} onSubmit={() => void remove()}>
            <button type="button" className="quiet-button" onClick={() => setAsking(false)}>
              Keep them
            </button>
            <button type="submit" className={styles.dangerous}>
              Delete {count}
            </button>
          </form>
        </Dialog>
      ) : null}
    </div>
  );
}

function TagMenu({ isBusy, onTag }: { isBusy: boolean; onTag: (key: string, value: string) => Promise<void> }) {
  const [isOpen, setOpen] = useState(false);
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setOpen(false);
    void onTag(key.trim(), value);
  };
  return (
    <Menu title="Tag the selected traces" label="Tag" isOpen={isOpen} onOpenChange={setOpen}>
      <form className={menus.form} onSubmit={submit}>
        <label>
          Key
          <input value={key} maxLength={250} onChange={(event) => setKey(event.target.value)} />
        </label>
        <label>
          Value
          <input value={value} onChange={(event) => setValue(event.target.value)} />
        </label>
        <button type="submit" className="solid-button" disabled={isBusy || key.trim() === ""}>
          Set the tag
        </button>
      </form>
    </Menu>
  );
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const id = error instanceof ApiError ? error.requestId : null;
  return id === null ? error.message : `${error.message} (request ${id})`;
}
