/** From a repository's address to the page of a commit. */

const COMMIT = /^[0-9a-f]{7,64}$/i;

/** Hosts whose page of a commit does not lie at `/commit/`. */
const COMMIT_FOLDERS: readonly (readonly [RegExp, string])[] = [
  [/(^|\.)gitlab\./, "/-/commit/"],
  [/(^|\.)bitbucket\.org$/, "/commits/"],
];

/** `https://host/owner/name` of any form that git takes; null where there is no host or no path. */
export function findRepositoryPage(address: string): string | null {
  const text = address.trim();
  const written = /^(?:https?|ssh|git):\/\/(?:[^@/\s]*@)?([^/:\s]+)(?::\d+)?\/([^\s?#]+)$/i.exec(text);
  const short = written === null ? /^(?:[^@/\s]+@)([^/:\s]+):([^\s?#]+)$/.exec(text) : null;
  const [, host, path] = written ?? short ?? [];
  if (host === undefined || path === undefined || !/^[a-z0-9.-]+$/i.test(host)) return null;
  const port = /^https?:\/\//i.test(text) ? (/^https?:\/\/(?:[^@/\s]*@)?[^/:\s]+(:\d+)/i.exec(text)?.[1] ?? "") : "";
  const folder = path.replace(/\/+$/, "").replace(/\.git$/, "").replace(/^\/+/, "");
  if (folder === "") return null;
  return `https://${host.toLowerCase()}${port}/${folder.split("/").map(encodeSegment).join("/")}`;
}

function encodeSegment(segment: string): string {
  try {
    return encodeURIComponent(decodeURIComponent(segment));
  } catch {
    return encodeURIComponent(segment);
  }
}

export function findCommitPage(address: string, commit: string): string | null {
  const page = findRepositoryPage(address);
  if (page === null || !COMMIT.test(commit)) return null;
  const host = new URL(page).hostname;
  const folder = COMMIT_FOLDERS.find(([known]) => known.test(host))?.[1] ?? "/commit/";
  return `${page}${folder}${commit}`;
}
