/** The sides of a comparison as texts: `1.1.0`, `commit:41d0c8b`, `branch:main`, `filter:state = 'OK'`. */

export type ArmKind = "version" | "commit" | "branch" | "manifest" | "filter";

const KINDS: readonly ArmKind[] = ["version", "commit", "branch", "manifest", "filter"];
const SHORT = 40;

export interface ArmName {
  /** Null: the server finds out whether it is a version, a commit, a branch or a filter. */
  kind: ArmKind | null;
  value: string;
}

/** A version stands alone where nobody could take it for something else. */
export function writeArm(kind: ArmKind, value: string): string {
  const isPlain =
    kind === "version" && /^[\w][\w.+-]*$/.test(value) && !/^[0-9a-f]{7,64}$/.test(value);
  return isPlain ? value : `${kind}:${value}`;
}

export function readArm(text: string): ArmName {
  const at = text.indexOf(":");
  const kind = KINDS.find((one) => one === text.slice(0, Math.max(0, at)));
  return kind === undefined ? { kind: null, value: text } : { kind, value: text.slice(at + 1) };
}

/** What the server calls the kinds. */
export function kindOf(serverKind: string): ArmKind {
  if (serverKind === "app_version") return "version";
  return KINDS.find((one) => one === serverKind) ?? "filter";
}

/** A name short enough for a button or a heading. */
export function shortenArm({ kind, value }: ArmName): string {
  const text = (kind === "commit" || kind === "manifest") && value.length > 12 ? value.slice(0, 12) : value;
  return text.length <= SHORT ? text : `${text.slice(0, SHORT - 1)}…`;
}
