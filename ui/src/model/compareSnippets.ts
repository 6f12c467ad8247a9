/** The comparison on the page as a command line, as Python, or as curl. */

import { addCondition } from "./filter";
import { quoteShell } from "./snippets";
import type { Bounds, TimeRange } from "./time";

export interface ComparedScope {
  baseline: string | null;
  candidate: string | null;
  environment: string | null;
  filter: string;
  experimentIds: readonly string[];
  time: TimeRange;
}

/** The command knows lengths of time until now; two moments become conditions of its filter. */
function splitTime({ time, filter }: ComparedScope): { window: string | null; filter: string } {
  if (time.kind === "last" && !time.text.endsWith("s")) return { window: time.text, filter };
  if (time.kind !== "between") return { window: null, filter };
  let whole = filter;
  if (time.sinceMs !== null) whole = addCondition(whole, `timestamp_ms >= ${time.sinceMs}`);
  if (time.untilMs !== null) whole = addCondition(whole, `timestamp_ms < ${time.untilMs}`);
  return { window: null, filter: whole };
}

export function writeCompareShell(scope: ComparedScope, url: string): string {
  const { window, filter } = splitTime(scope);
  const options: [string, string | null][] = [
    ["--baseline", scope.baseline],
    ["--candidate", scope.candidate],
    ["--environment", scope.environment],
    ["--filter", filter === "" ? null : filter],
    ["--window", window],
    ...scope.experimentIds.map((id): [string, string] => ["--experiment", id]),
    ["--url", url],
  ];
  return ["whence compare", ...options.flatMap(([name, value]) => (value === null ? [] : [name, quoteShell(value)]))].join(
    " ",
  );
}

/** JSON's escapes are Python's too. */
function quote(text: string): string {
  return JSON.stringify(text);
}

export function writeComparePython(scope: ComparedScope, url: string): string {
  const { window, filter } = splitTime(scope);
  const given = [
    scope.baseline === null ? null : quote(scope.baseline),
    scope.candidate === null
      ? null
      : scope.baseline === null
        ? `candidate=${quote(scope.candidate)}`
        : quote(scope.candidate),
    scope.environment === null ? null : `environment=${quote(scope.environment)}`,
    filter === "" ? null : `filter_string=${quote(filter)}`,
    window === null ? null : `window=${quote(window)}`,
    scope.experimentIds.length === 0 ? null : `locations=[${scope.experimentIds.map(quote).join(", ")}]`,
  ].filter((one) => one !== null);
  return [
    "import whence",
    "",
    `whence.set_tracking_uri(${quote(url)})`,
    "found = whence.compare(",
    ...given.map((one) => `    ${one},`),
    ")",
    "print(found.verdict)",
    "print(found.to_markdown())",
  ].join("\n");
}

export function writeCompareParams(scope: ComparedScope, bounds: Bounds): [string, string][] {
  const params: [string, string][] = [];
  if (scope.baseline !== null) params.push(["baseline", scope.baseline]);
  if (scope.candidate !== null) params.push(["candidate", scope.candidate]);
  if (scope.environment !== null) params.push(["environment", scope.environment]);
  if (scope.filter !== "") params.push(["filter", scope.filter]);
  for (const id of scope.experimentIds) params.push(["experiment_id", id]);
  if (bounds.sinceMs !== null) params.push(["since", String(bounds.sinceMs)]);
  if (bounds.untilMs !== null) params.push(["until", String(bounds.untilMs)]);
  return params;
}

export function writeCompareCurl(scope: ComparedScope, bounds: Bounds, url: string): string {
  return [
    `curl -sG ${quoteShell(`${url}/api/v1/compare`)}`,
    ...writeCompareParams(scope, bounds).map(
      ([name, value]) => `  --data-urlencode ${quoteShell(`${name}=${value}`)}`,
    ),
  ].join(" \\\n");
}
