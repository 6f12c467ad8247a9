/** Small things that this browser keeps: recent filters, drafts. Nothing here is on the server. */

const MOST_RECENT = 20;

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

function parse(kept: string | null): unknown {
  if (kept === null) return null;
  try {
    return JSON.parse(kept) as unknown;
  } catch {
    return null;
  }
}
