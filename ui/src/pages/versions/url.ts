/**
 * The addresses of versions, named as the API names its routes:
 * `/versions?environment=…&time=7d&experiment_id=…&chosen=1.0.0&chosen=1.1.0&in=production`,
 * `/versions/detail?version=1.1.0`,
 * `/versions/diff?before=1.0.0&after=1.1.0`.
 */

import { ALL_TIME, readTime, type TimeRange, writeTime } from "../../model/time";
import type { Address } from "../../router";

export interface VersionsView {
  environment: string | null;
  experimentIds: readonly string[];
  time: TimeRange;
  /** Those to compare, as sides of a comparison; of the environment `chosenIn`. */
  chosen: readonly string[];
  chosenIn: string | null;
}

export interface VersionView {
  version: string;
  environment: string | null;
  experimentIds: readonly string[];
}

export interface VersionDiffView {
  before: string;
  after: string;
  environment: string | null;
  experimentIds: readonly string[];
}

function isAt(path: string, wanted: string): boolean {
  return path === wanted || path === `${wanted}/`;
}

function readText(params: URLSearchParams, name: string): string | null {
  const text = params.get(name)?.trim() ?? "";
  return text === "" ? null : text;
}

export function parseVersionsUrl({ path, search }: Address): VersionsView | null {
  if (!isAt(path, "/versions")) return null;
  const params = new URLSearchParams(search);
  return {
    environment: readText(params, "environment"),
    experimentIds: params.getAll("experiment_id"),
    time: readTime(params),
    chosen: params.getAll("chosen").slice(0, 2),
    chosenIn: readText(params, "in"),
  };
}

export function parseVersionUrl({ path, search }: Address): VersionView | null {
  if (!isAt(path, "/versions/detail")) return null;
  const params = new URLSearchParams(search);
  const version = readText(params, "version");
  if (version === null) return null;
  return {
    version,
    environment: readText(params, "environment"),
    experimentIds: params.getAll("experiment_id"),
  };
}

export function parseVersionDiffUrl({ path, search }: Address): VersionDiffView | null {
  if (!isAt(path, "/versions/diff")) return null;
  const params = new URLSearchParams(search);
  const before = readText(params, "before");
  const after = readText(params, "after");
  if (before === null || after === null) return null;
  return {
    before,
    after,
    environment: readText(params, "environment"),
    experimentIds: params.getAll("experiment_id"),
  };
}

function write(
  path: string,
  named: Readonly<Record<string, string | null>>,
  experimentIds: readonly string[],
  time: TimeRange,
): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(named)) if (value !== null) params.set(name, value);
  writeTime(time, params);
  for (const id of experimentIds) params.append("experiment_id", id);
  const query = params.toString();
  return query === "" ? path : `${path}?${query}`;
}

export function buildVersionsUrl(given: Partial<VersionsView> = {}): string {
  const { environment = null, experimentIds = [], time = ALL_TIME } = given;
  const { chosen = [], chosenIn = null } = given;
  const href = write(
    "/versions",
    { environment, in: chosen.length === 0 ? null : chosenIn },
    experimentIds,
    time,
  );
  if (chosen.length === 0) return href;
  const named = new URLSearchParams(chosen.map((one) => ["chosen", one]));
  return `${href}${href.includes("?") ? "&" : "?"}${named.toString()}`;
}

export function buildVersionUrl(given: Partial<VersionView> & { version: string }): string {
  const { version, environment = null, experimentIds = [] } = given;
  return write("/versions/detail", { version, environment }, experimentIds, ALL_TIME);
}

export function buildVersionDiffUrl(
  given: Partial<VersionDiffView> & { before: string; after: string },
): string {
  const { before, after, environment = null, experimentIds = [] } = given;
  return write("/versions/diff", { before, after, environment }, experimentIds, ALL_TIME);
}
