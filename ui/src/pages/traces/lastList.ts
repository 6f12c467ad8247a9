/** The address of the list as it was last shown in this tab: where a trace leads back to. */

const NAME = "whence.list";
const PLAIN = "/traces";

let last: string | null = null;

export function keepLastList(href: string): void {
  last = href;
  try {
    sessionStorage.setItem(NAME, href);
  } catch {
    // Full or forbidden: then it is known until the page is loaded anew.
  }
}

export function readLastList(): string {
  let kept = last;
  try {
    kept ??= sessionStorage.getItem(NAME);
  } catch {
    // Forbidden.
  }
  return kept !== null && /^\/traces(\?|$)/.test(kept) ? kept : PLAIN;
}
