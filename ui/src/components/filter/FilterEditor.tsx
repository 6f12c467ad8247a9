/** The filter's editor: colours, suggestions, one line. Loaded apart from the page. */

import {
  acceptCompletion,
  autocompletion,
  closeCompletion,
  type CompletionResult,
  type CompletionSource,
  completionStatus,
  moveCompletionSelection,
  selectedCompletion,
  startCompletion,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { Compartment, EditorState, Prec } from "@codemirror/state";
import {
  Decoration,
  type DecorationSet,
  EditorView,
  keymap,
  placeholder,
  ViewPlugin,
  type ViewUpdate,
} from "@codemirror/view";
import { type RefObject, useEffect, useEffectEvent, useImperativeHandle, useLayoutEffect, useRef } from "react";

import { splitFilter } from "../../model/filterSyntax";
import { PLACEHOLDER } from "./FilterInput";
import type { FilterFieldHandle } from "./FilterInput";

export interface FilterEditorProps {
  handle: RefObject<FilterFieldHandle | null>;
  value: string;
  isWrong: boolean;
  hasFocus: boolean;
  suggest: (text: string, caret: number) => Promise<CompletionResult | null>;
  onChange: (text: string) => void;
  onRun: (text: string) => void;
  onScroll: (left: number) => void;
}

const MARKS = new Map(
  ["field", "keyword", "operator", "string", "number", "mark"].map((kind) => [
    kind,
    Decoration.mark({ class: `tok-${kind}` }),
  ]),
);

function colour(view: EditorView): DecorationSet {
  const found = splitFilter(view.state.doc.toString()).flatMap(({ kind, start, end }) => {
    const mark = MARKS.get(kind);
    return mark === undefined ? [] : [mark.range(start, end)];
  });
  return Decoration.set(found);
}

const colours = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    constructor(view: EditorView) {
      this.decorations = colour(view);
    }
    update(update: ViewUpdate): void {
      if (update.docChanged) this.decorations = colour(update.view);
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

const oneLine = [
  EditorView.clipboardInputFilter.of((text) => text.replaceAll(/\s*\n\s*/g, " ").trim()),
  EditorState.transactionFilter.of((change) => (change.newDoc.lines > 1 ? [] : change)),
];

function describe(isWrong: boolean) {
  return EditorView.contentAttributes.of({
    "aria-label": "Filter",
    "aria-invalid": String(isWrong),
    autocapitalize: "off",
    spellcheck: "false",
    ...(isWrong ? { "aria-describedby": "filter-error" } : {}),
  });
}

/** Tab takes the suggestion that is chosen, or the first. */
function take(view: EditorView): boolean {
  const status = completionStatus(view.state);
  // They are being looked up: to leave the field now is not what was meant.
  if (status === "pending") return true;
  if (status !== "active") return false;
  if (selectedCompletion(view.state) === null) moveCompletionSelection(true)(view);
  return acceptCompletion(view);
}

/** An empty field shows what could stand there, after what the pointer or the key still does. */
function suggestOnceEmpty(view: EditorView): void {
  if (view.state.doc.length > 0) return;
  setTimeout(() => {
    if (view.hasFocus && completionStatus(view.state) === null) startCompletion(view);
  });
}

export default function FilterEditor(props: FilterEditorProps) {
  const { handle, value, isWrong } = props;
  const place = useRef<HTMLDivElement>(null);
  const editor = useRef<EditorView | null>(null);
  const attributes = useRef(new Compartment());
  const change = useEffectEvent(props.onChange);
  const run = useEffectEvent(props.onRun);
  const scroll = useEffectEvent(props.onScroll);
  const suggest = useEffectEvent(props.suggest);
  const first = useEffectEvent(() => ({ value, isWrong, hasFocus: props.hasFocus }));

  // With the commit that takes the plain field away: no key may fall between the two.
  useLayoutEffect(() => {
    if (place.current === null) return;
    const source: CompletionSource = ({ state, pos }) => suggest(state.doc.toString(), pos);
    const start = first();
    const view = new EditorView({
      parent: place.current,
      state: EditorState.create({
        doc: start.value,
        extensions: [
          EditorView.cspNonce.of(readNonce()),
          attributes.current.of(describe(start.isWrong)),
          Prec.highest(
            keymap.of([
              {
                key: "Enter",
                run: (at) => {
                  if (selectedCompletion(at.state) !== null) return acceptCompletion(at);
                  closeCompletion(at);
                  run(at.state.doc.toString());
                  return true;
                },
              },
              { key: "Tab", run: take },
            ]),
          ),
          keymap.of([...defaultKeymap, ...historyKeymap]),
          history(),
          autocompletion({
            override: [source],
            selectOnOpen: false,
            activateOnCompletion: () => true,
            activateOnTypingDelay: 60,
            interactionDelay: 0,
            icons: false,
            maxRenderedOptions: 60,
          }),
          placeholder(PLACEHOLDER),
          colours,
          oneLine,
          EditorView.updateListener.of((update) => {
            if (update.docChanged) change(update.state.doc.toString());
          }),
          EditorView.domEventHandlers({
            focus: (_, at) => suggestOnceEmpty(at),
            click: (_, at) => suggestOnceEmpty(at),
          }),
        ],
      }),
    });
    const onScroll = (): void => scroll(view.scrollDOM.scrollLeft);
    view.scrollDOM.addEventListener("scroll", onScroll);
    editor.current = view;
    if (start.hasFocus) {
      view.focus();
      view.dispatch({ selection: { anchor: view.state.doc.length } });
    }
    return () => {
      editor.current = null;
      view.destroy();
    };
  }, []);

  useImperativeHandle(
    handle,
    () => ({
      focus: () => {
        const view = editor.current;
        view?.focus();
        view?.dispatch({ selection: { anchor: 0, head: view.state.doc.length } });
      },
      blur: () => editor.current?.contentDOM.blur(),
    }),
    [],
  );

  // At once as well: later, it would take back what was typed since.
  useLayoutEffect(() => {
    const view = editor.current;
    if (view === null || view.state.doc.toString() === value) return;
    view.dispatch({
      changes: { from: 0, to: view.state.doc.length, insert: value.replaceAll("\n", " ") },
      selection: { anchor: value.length },
    });
  }, [value]);

  useEffect(() => {
    editor.current?.dispatch({
      effects: attributes.current.reconfigure(describe(isWrong)),
    });
  }, [isWrong]);

  return <div ref={place} className="filter-editor" />;
}

/** The page's policy lets in only styles that carry the nonce of this very answer. */
function readNonce(): string {
  return document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? "";
}
