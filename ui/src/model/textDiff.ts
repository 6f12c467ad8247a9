/**
 * How two texts differ, word by word; line by line where they are long, and not at all where that
 * would take the page longer than a glance.
 */

import { diffLines, diffWordsWithSpace } from "diff";

export interface Piece {
  kind: "same" | "removed" | "added";
  text: string;
}

export interface TextDiff {
  pieces: Piece[];
  unit: "word" | "line";
}

const LONGEST_BY_WORD = 60_000;
const LONGEST_BY_LINE = 2_000_000;
const WORD_MS = 250;
const LINE_MS = 600;

/** Null where the texts are too long, or too different, to be compared here. */
export function diffTexts(before: string, after: string): TextDiff | null {
  const length = before.length + after.length;
  if (length <= LONGEST_BY_WORD) {
    const found = diffWordsWithSpace(before, after, { timeout: WORD_MS });
    if (found !== undefined) return { pieces: found.map(readPiece), unit: "word" };
  }
  if (length > LONGEST_BY_LINE) return null;
  const found = diffLines(before, after, { timeout: LINE_MS });
  return found === undefined ? null : { pieces: found.map(readPiece), unit: "line" };
}

function readPiece(part: { value: string; added: boolean; removed: boolean }): Piece {
  return { kind: part.added ? "added" : part.removed ? "removed" : "same", text: part.value };
}

/** What stays the same is shown with this many lines beside a difference; the rest is counted. */
const CONTEXT_LINES = 3;

export interface Hidden {
  kind: "hidden";
  text: string;
  lines: number;
}

export type Shown = Piece | Hidden;

/** Take out the middle of long stretches that are the same. */
export function foldSame(pieces: readonly Piece[]): Shown[] {
  return pieces.flatMap((piece, index): Shown[] => {
    if (piece.kind !== "same") return [piece];
    const lines = piece.text.split("\n");
    const head = index === 0 ? 0 : CONTEXT_LINES + 1;
    const tail = index === pieces.length - 1 ? 0 : CONTEXT_LINES + 1;
    const hidden = lines.slice(head, lines.length - tail);
    if (hidden.length <= CONTEXT_LINES) return [piece];
    const first = lines.slice(0, head).join("\n");
    const last = lines.slice(lines.length - tail).join("\n");
    const folded: Shown[] = [];
    if (head > 0) folded.push({ kind: "same", text: `${first}\n` });
    const end = tail > 0 ? "\n" : "";
    folded.push({ kind: "hidden", text: hidden.join("\n") + end, lines: hidden.length });
    if (tail > 0) folded.push({ kind: "same", text: last });
    return folded;
  });
}
