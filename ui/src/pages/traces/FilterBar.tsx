/** The filter in the one language: Enter runs it, and an error points at its place. */

import { type FormEvent, type RefObject, useState } from "react";

import { ApiError } from "../../api/client";
import { textBeforeColumn } from "../../model/filter";
import styles from "./FilterBar.module.css";

interface FilterBarProps {
  input: RefObject<HTMLInputElement | null>;
  /** The filter that was run last. */
  filter: string;
  error: Error | null;
  onRun: (filter: string) => void;
}

export function FilterBar({ input, filter, error, onRun }: FilterBarProps) {
  const [draft, setDraft] = useState(filter);
  const [ran, setRan] = useState(filter);
  const [scroll, setScroll] = useState(0);
  if (ran !== filter) {
    // The address changed (back, a chip, a link): the bar shows what it says.
    setRan(filter);
    setDraft(filter);
  }
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onRun(draft.trim());
  };
  const isWrong = error instanceof ApiError && error.status === 400;
  const column = isWrong && draft === filter ? error.column : null;
  return (
    <form className={styles.form} onSubmit={submit}>
      <div className={`${styles.bar} ${isWrong ? styles.wrong : ""}`}>
        <input
          ref={input}
          aria-label="Filter"
          aria-invalid={isWrong}
          aria-describedby={isWrong ? "filter-error" : undefined}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          placeholder="metadata.environment = 'production' AND metadata.app_version >= '2.1.0'"
          value={draft}
          onChange={(event) => setDraft(event.target.value)}
          onScroll={(event) => setScroll(event.currentTarget.scrollLeft)}
        />
        {draft === "" ? (
          <kbd title="Press / to filter">/</kbd>
        ) : (
          <button type="button" className={styles.clear} onClick={() => onRun("")} title="Clear">
            ×
          </button>
        )}
        <button type="submit" className="solid-button">
          Run
        </button>
      </div>
      {isWrong ? (
        <div className={styles.error} id="filter-error" role="alert">
          {column === null ? null : (
            <div className={styles.caretLine} aria-hidden="true">
              <span style={{ transform: `translateX(${-scroll}px)` }}>
                <span className={styles.before}>{textBeforeColumn(draft, column)}</span>
                <span className={styles.caret}>^</span>
              </span>
            </div>
          )}
          <p>{error.message}</p>
        </div>
      ) : null}
    </form>
  );
}
