/** Small things that this browser keeps: recent filters, saved views. Nothing here is on the server. */

export interface SavedView {
  name: string;
  /** The query part of the address, without "?". */
  search: string;
}

const MOST_RECENT = 20;
const MOST_VIEWS = 100;

/** Read a list of texts that was kept; anything else counts as none. */
export function readTexts(kept: string | null): string[] {
  const parsed = parse(kept);
  return Array.isArray(parsed) ? parsed.filter((one): one is string => typeof one === "string") : [];
}

/** The newest first, each once. */
export function addRecent(recent: readonly string[], filter: string): string[] {
  if (filter.trim() === "") return [...recent];
  return [filter, ...recent.filter((one) => one !== filter)].slice(0, MOST_RECENT);
}

export function readViews(kept: string | null): SavedView[] {
  const parsed = parse(kept);
  if (!Array.isArray(parsed)) return [];
  return parsed.filter(
    (one): one is SavedView =>
      typeof one === "object" &&
      one !== null &&
      typeof (one as SavedView).name === "string" &&
      typeof (one as SavedView).search === "string",
  );
}

/** A view of the same name is replaced. */
export function addView(views: readonly SavedView[], view: SavedView): SavedView[] {
  return [...views.filter((one) => one.name !== view.name), view].slice(-MOST_VIEWS);
}

function parse(kept: string | null): unknown {
  if (kept === null) return null;
  try {
    return JSON.parse(kept) as unknown;
  } catch {
    return null;
  }
}
