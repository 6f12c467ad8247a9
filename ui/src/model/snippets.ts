/** The search on the page, as a program: Python, the command line, or curl. */

import { addCondition } from "./filter";
import type { Bounds } from "./time";

export interface Search {
  filter: string;
  orderBy: readonly string[];
  experimentIds: readonly string[];
  /** All there are: Python means the active experiment where none is named. */
  allExperimentIds: readonly string[];
  bounds: Bounds;
}

/** The filter with the times in it, for where there is only one text. */
export function writeWholeFilter({ filter, bounds }: Search): string {
  let whole = filter;
  if (bounds.sinceMs !== null) whole = addCondition(whole, `timestamp_ms >= ${bounds.sinceMs}`);
  if (bounds.untilMs !== null) whole = addCondition(whole, `timestamp_ms < ${bounds.untilMs}`);
  return whole;
}

export function writePython(search: Search, url: string): string {
  const filter = writeWholeFilter(search);
  const everywhere = search.allExperimentIds.length > 1 ? search.allExperimentIds : [];
  const experiments = search.experimentIds.length > 0 ? search.experimentIds : everywhere;
  const given = [
    filter === "" ? null : `    filter_string=${quotePython(filter)},`,
    search.orderBy.length === 0 ? null : `    order_by=${listPython(search.orderBy)},`,
    experiments.length === 0 ? null : `    locations=${listPython(experiments)},`,
    "    max_results=100,",
  ].filter((line) => line !== null);
  return [
    "import whence",
    "",
    `whence.set_tracking_uri(${quotePython(url)})`,
    "traces = whence.search_traces(",
    ...given,
    ")",
  ].join("\n");
}

export function writeShell(search: Search, url: string): string {
  const filter = writeWholeFilter(search);
  return [
    "whence search",
    ...(filter === "" ? [] : [quoteShell(filter)]),
    ...search.orderBy.flatMap((clause) => ["--order-by", quoteShell(clause)]),
    ...search.experimentIds.flatMap((id) => ["--experiment", quoteShell(id)]),
    "--url",
    quoteShell(url),
  ].join(" ");
}

/** Every trace that is found, whole, into a file. */
export function writeExport(search: Search, url: string): string {
  const filter = writeWholeFilter(search);
  return [
    "whence export",
    ...(filter === "" ? [] : [quoteShell(filter)]),
    "traces.jsonl",
    ...search.experimentIds.flatMap((id) => ["--experiment", quoteShell(id)]),
    "--url",
    quoteShell(url),
  ].join(" ");
}

export function writeCurl(search: Search, url: string): string {
  const params: [string, string][] = [];
  if (search.filter !== "") params.push(["filter", search.filter]);
  for (const clause of search.orderBy) params.push(["order_by", clause]);
  for (const id of search.experimentIds) params.push(["experiment_id", id]);
  if (search.bounds.sinceMs !== null) params.push(["since", String(search.bounds.sinceMs)]);
  if (search.bounds.untilMs !== null) params.push(["until", String(search.bounds.untilMs)]);
  return [
    `curl -sG ${quoteShell(`${url}/api/v1/traces`)}`,
    ...params.map(([name, value]) => `  --data-urlencode ${quoteShell(`${name}=${value}`)}`),
  ].join(" \\\n");
}

/** JSON's escapes are Python's too. */
function quotePython(text: string): string {
  return JSON.stringify(text);
}

function listPython(texts: readonly string[]): string {
  return `[${texts.map(quotePython).join(", ")}]`;
}

export function quoteShell(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
