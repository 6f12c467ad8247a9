/**
 * Where in a filter the caret stands, and what can come there: for colours and suggestions.
 *
 * Only the outer form is read (fields, operators, values, AND/OR/NOT); whether a filter is right is
 * the server's to say.
 */

export type PieceKind = "field" | "keyword" | "operator" | "string" | "number" | "mark";

export interface Piece {
  kind: PieceKind;
  text: string;
  start: number;
  end: number;
  /** A quote was opened and not closed. */
  isOpen: boolean;
}

export interface Place {
  wants: "field" | "operator" | "value" | "connective" | "list" | "presence";
  /** What is typed of it, and where that begins. */
  typed: string;
  start: number;
  /** The field that an operator or a value belongs to. */
  field: string | null;
  /** Values stand in parentheses after IN. */
  isInList: boolean;
}

const KEYWORDS = new Set(["AND", "OR", "NOT", "IN", "LIKE", "ILIKE", "RLIKE", "IS", "NULL"]);
const PIECE =
  /\s+|('[^']*(?:'|$)|"[^"]*(?:"|$))|((?:[\w.]|`[^`]*(?:`|$))+)|(<=|>=|!=|<>|=|<|>)|([(),])|(.)/gsu;

export function splitFilter(text: string): Piece[] {
  const pieces: Piece[] = [];
  for (const match of text.matchAll(PIECE)) {
    const [whole, quoted, word, operator] = match;
    if (/^\s/.test(whole)) continue;
    const kind = kindOf(whole, quoted, word, operator);
    const isOpen =
      (kind === "string" && (whole.length < 2 || whole.at(-1) !== whole[0])) ||
      (kind === "field" && whole.split("`").length % 2 === 0);
    const start = match.index;
    pieces.push({ kind, text: whole, start, end: start + whole.length, isOpen });
  }
  return pieces;
}

function kindOf(whole: string, quoted?: string, word?: string, operator?: string): PieceKind {
  if (quoted !== undefined) return "string";
  if (operator !== undefined) return "operator";
  if (word === undefined) return "mark";
  if (KEYWORDS.has(word.toUpperCase())) return "keyword";
  return /^\d[\d.]*$/.test(whole) ? "number" : "field";
}

/** What can stand at a caret. */
export function findPlace(text: string, caret: number): Place {
  const place: Omit<Place, "typed" | "start"> = { wants: "field", field: null, isInList: false };
  for (const piece of splitFilter(text)) {
    if (piece.start >= caret) break;
    const isUnfinished =
      piece.end >= caret &&
      piece.kind !== "mark" &&
      (piece.isOpen || !(piece.kind === "string" && piece.end === caret));
    if (isUnfinished) {
      return { ...place, typed: text.slice(piece.start, caret), start: piece.start };
    }
    step(place, piece);
  }
  return { ...place, typed: "", start: caret };
}

function step(place: Omit<Place, "typed" | "start">, { kind, text }: Piece): void {
  const word = text.toUpperCase();
  if (kind === "keyword") {
    if (word === "AND" || word === "OR") place.wants = "field";
    else if (word === "IN") place.wants = "list";
    else if (word === "IS") place.wants = "presence";
    else if (word === "NULL") place.wants = "connective";
    else if (word.endsWith("LIKE")) place.wants = "value";
    // NOT stands before a field, before IN and LIKE, and after IS: what is wanted stays.
    return;
  }
  if (kind === "mark") {
    if (text === "(") {
      place.isInList = place.wants === "list";
      place.wants = place.isInList ? "value" : "field";
    } else if (text === ")") {
      place.isInList = false;
      place.wants = "connective";
    } else if (text === ",") {
      place.wants = "value";
    }
    return;
  }
  if (kind === "operator") {
    place.wants = "value";
  } else if (place.wants === "value") {
    place.wants = "connective";
  } else if (place.wants === "field" && kind === "field") {
    place.field = text;
    place.wants = "operator";
  }
}

const NUMBERS = new Set([
  "timestamp_ms",
  "timestamp",
  "execution_time_ms",
  "execution_time",
  "end_time_ms",
  "end_time",
]);
const COMPARING = ["=", "!=", "<", "<=", ">", ">="];
const MATCHING = ["LIKE", "ILIKE", "RLIKE"];

/** The operators that a field takes. */
export function listOperators(field: string): readonly string[] {
  const bare = field.replace(/^(trace|attributes?)\./, "");
  if (NUMBERS.has(bare)) return [...COMPARING, "IN", "IS NULL", "IS NOT NULL"];
  if (bare === "span.content") return MATCHING;
  if (bare === "prompt") return ["=", "IN"];
  return [...COMPARING, "IN", "NOT IN", ...MATCHING, "IS NULL", "IS NOT NULL"];
}

const KNOWN_VALUES: Readonly<Record<string, readonly string[]>> = {
  state: ["OK", "ERROR", "IN_PROGRESS"],
  status: ["OK", "ERROR", "IN_PROGRESS"],
  "span.status": ["OK", "ERROR", "UNSET"],
  "span.type": (
    "LLM CHAT_MODEL AGENT TOOL RETRIEVER RERANKER EMBEDDING CHAIN PARSER MEMORY GUARDRAIL " +
    "EVALUATOR WORKFLOW TASK UNKNOWN"
  ).split(" "),
};

/** The words that a field is known to hold, whatever has been observed. */
export function listKnownValues(field: string): readonly string[] {
  return KNOWN_VALUES[field] ?? [];
}

/** Suggestions rank: what begins with the typed text first, then what holds it; others fall out. */
export function rank(candidate: string, typed: string): number | null {
  const text = candidate.toLowerCase().replaceAll("`", "");
  const wanted = typed.toLowerCase().replaceAll("`", "");
  if (wanted === "" || text.startsWith(wanted)) return 0;
  if (text.includes(`.${wanted}`) || text.includes(`_${wanted}`)) return 1;
  return text.includes(wanted) ? 2 : null;
}
