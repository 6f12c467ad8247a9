/** The address of a comparison of two traces: `/diff/<a>...<b>?path=…&only=changes`. */

import type { Address } from "../../router";
import { decodeSegment } from "../trace/url";

export interface DiffView {
  baseline: string;
  candidate: string;
  /** The path of the selected span; null: what the traces as a whole differ in. */
  path: string | null;
  /** Rows that are the same on both sides are left out. */
  onlyChanges: boolean;
}

export function parseDiffUrl({ path, search }: Address): DiffView | null {
  const segment = /^\/diff\/([^/]+)\/?$/.exec(path)?.[1];
  const at = segment?.indexOf("...") ?? -1;
  if (segment === undefined || at <= 0 || at + 3 >= segment.length) return null;
  const params = new URLSearchParams(search);
  return {
    baseline: decodeSegment(segment.slice(0, at)),
    candidate: decodeSegment(segment.slice(at + 3)),
    path: params.get("path"),
    onlyChanges: params.get("only") === "changes",
  };
}

export function buildDiffUrl(view: Partial<DiffView> & Pick<DiffView, "baseline" | "candidate">): string {
  const params = new URLSearchParams();
  if (view.path !== undefined && view.path !== null) params.set("path", view.path);
  if (view.onlyChanges === true) params.set("only", "changes");
  const query = params.toString();
  const path = `/diff/${encodeURIComponent(view.baseline)}...${encodeURIComponent(view.candidate)}`;
  return query === "" ? path : `${path}?${query}`;
}
