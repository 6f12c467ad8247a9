/** The filter in the one language: Enter runs it, and an error points at its place. */

import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { type ComponentType, createElement, type FormEvent, type RefObject, useEffect, useState } from "react";

import { ApiError } from "../../api/client";
import { keep, readKept } from "../../kept";
import { textBeforeColumn } from "../../model/filter";
import { readFreeText } from "../../model/freeText";
import { addRecent, readTexts } from "../../model/kept";
import styles from "./FilterBar.module.css";
import type { FilterEditorProps } from "./FilterEditor";
import { type FilterFieldHandle, FilterInput } from "./FilterInput";

const RECENT = "whence.recent_filters";
/** A page that has a question has asked it by then. */
const ASKED_WITHIN_MS = 100;

/** Loaded apart from the page, once. */
let loadedEditor: ComponentType<FilterEditorProps> | null = null;

interface FilterBarProps {
  /** Where its draft is kept: a name for each page that has a filter. */
  draftName: string;
  handle: RefObject<FilterFieldHandle | null>;
  /** The filter that was run last. */
  filter: string;
  experimentIds: readonly string[];
  error: Error | null;
  onRun: (filter: string) => void;
}

export function FilterBar(props: FilterBarProps) {
  const { draftName, handle, filter, experimentIds, error, onRun } = props;
  const [draft, setDraft] = useState(() => readDraft(draftName, filter));
  const [ran, setRan] = useState(filter);
  const [scroll, setScroll] = useState(0);
  const [hasFocus, setHasFocus] = useState(false);
  const queries = useQueryClient();
  const editor = useEditor(queries, hasFocus);
  if (ran !== filter) {
    // The address changed (back, a facet, a link): the bar shows what it says. A draft that was
    // never run stays among the recent filters.
    if (draft.trim() !== ran && draft.trim() !== filter) remember(draft.trim());
    setRan(filter);
    setDraft(filter);
  }
  useEffect(() => {
    sessionStorage.setItem(draftName, JSON.stringify([filter, draft]));
  }, [draftName, filter, draft]);
  const run = (text: string): void => {
    const asked = readFreeText(text) ?? text.trim();
    setDraft(asked);
    remember(asked);
    onRun(asked);
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    run(draft);
  };
  const isWrong = error instanceof ApiError && error.status === 400;
  const column = isWrong && draft === filter ? error.column : null;
  return (
    <form className={styles.form} onSubmit={submit}>
      <div className={`${styles.bar} ${isWrong ? styles.wrong : ""}`}>
        {editor === null ? (
          <FilterInput
            handle={handle}
            value={draft}
            isWrong={isWrong}
            onChange={setDraft}
            onFocusChange={setHasFocus}
            onScroll={setScroll}
          />
        ) : (
          createElement(editor, {
            handle,
            value: draft,
            isWrong,
            hasFocus,
            suggest: async (text, caret) => {
              const { suggest } = await import("./suggest");
              return suggest(queries, experimentIds, readTexts(readKept(RECENT)), text, caret);
            },
            onChange: setDraft,
            onRun: run,
            onScroll: setScroll,
          })
        )}
        {draft === "" ? (
          <kbd title="Press / to filter">/</kbd>
        ) : (
          <button
            type="button"
            className={styles.clear}
            onClick={() => run("")}
            title="Clear the filter"
            aria-label="Clear the filter"
          >
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

/**
 * The editor, or null while it is not there: it is loaded when the page's first answer has come, so
 * that it delays none, or when the field is entered. Without it the plain field stays.
 */
function useEditor(queries: QueryClient, hasFocus: boolean): typeof loadedEditor {
  const [editor, setEditor] = useState<typeof loadedEditor>(() => loadedEditor);
  const [isWanted, setWanted] = useState(false);
  if (hasFocus && !isWanted) setWanted(true);
  useEffect(() => {
    if (isWanted) return;
    const look = (): void => {
      if (queries.isFetching() === 0) setWanted(true);
    };
    const timer = setTimeout(look, ASKED_WITHIN_MS);
    const stop = queries.getQueryCache().subscribe(({ type }) => {
      if (type === "updated") look();
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [isWanted, queries]);
  useEffect(() => {
    if (!isWanted || editor !== null) return;
    let isLeft = false;
    const load = async (): Promise<void> => {
      loadedEditor = (await import("./FilterEditor")).default;
      if (!isLeft) setEditor(() => loadedEditor);
    };
    void load().catch(() => undefined);
    return () => {
      isLeft = true;
    };
  }, [isWanted, editor]);
  return editor;
}

function remember(filter: string): void {
  keep(RECENT, JSON.stringify(addRecent(readTexts(readKept(RECENT)), filter)));
}

/** What was typed over this filter and not run, as long as the tab lives. */
function readDraft(name: string, filter: string): string {
  const [over, draft] = readTexts(sessionStorage.getItem(name));
  return over === filter && draft !== undefined ? draft : filter;
}
