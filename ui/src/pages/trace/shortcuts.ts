/** The keys of the trace page. */

import type { Shortcut } from "../../model/shortcuts";
import { isFailed, type SpanRow } from "../../model/spanTree";

export interface Actions {
  rows: readonly SpanRow[];
  /** Index of the selected row, or -1. */
  at: number;
  select: (spanId: string | null) => void;
  toggle: (key: string) => void;
  collapseAll: () => void;
  expandAll: () => void;
  goToMatch: (by: 1 | -1) => void;
  fitSelected: () => void;
  resetZoom: () => void;
  judge: () => void;
  /** The traces beside this one in the list that it was opened from. */
  goBeside: (by: 1 | -1) => void;
  close: () => void;
}

function isError({ node }: SpanRow): boolean {
  return node.span !== null && isFailed(node.span);
}

export function listShortcuts(actions: Actions): Shortcut[] {
  const { rows, at, select, toggle, goToMatch } = actions;
  const current = rows[at];
  const seek = (from: number, by: 1 | -1, fits: (row: SpanRow) => boolean): void => {
    for (let index = from + by; index >= 0 && index < rows.length; index += by) {
      const row = rows[index];
      if (row !== undefined && row.node.span !== null && fits(row)) {
        select(row.node.spanId);
        return;
      }
    }
  };
  const fold = (wanted: boolean): void => {
    if (current === undefined || current.node.children.length === 0) return;
    if (current.isCollapsed !== wanted) toggle(current.node.key);
  };
  return [
    { keys: ["j", "ArrowDown"], does: "Next span", run: () => seek(at, 1, () => true) },
    {
      keys: ["k", "ArrowUp"],
      does: "Previous span",
      run: () => seek(at < 0 ? rows.length : at, -1, () => true),
    },
    { keys: ["h"], does: "Collapse the span", run: () => fold(true) },
    { keys: ["l"], does: "Expand the span", run: () => fold(false) },
    { keys: ["["], does: "Collapse all", run: actions.collapseAll },
    { keys: ["]"], does: "Expand all", run: actions.expandAll },
    { keys: ["n"], does: "Next match", run: () => goToMatch(1) },
    { keys: ["p"], does: "Previous match", run: () => goToMatch(-1) },
    { keys: ["e"], does: "Next error", run: () => seek(at, 1, isError) },
    { keys: ["z"], does: "Zoom to the span", run: actions.fitSelected },
    { keys: ["0"], does: "Show the whole time", run: actions.resetZoom },
    { keys: ["f"], does: "Give feedback", run: actions.judge },
    { keys: ["ArrowLeft"], does: "Previous trace of the list", run: () => actions.goBeside(-1) },
    { keys: ["ArrowRight"], does: "Next trace of the list", run: () => actions.goBeside(1) },
    {
      keys: ["y"],
      does: "Copy the link",
      run: () => void navigator.clipboard?.writeText(window.location.href),
    },
    { keys: ["Escape"], does: "Close the span, then go to the list", run: actions.close },
  ];
}
