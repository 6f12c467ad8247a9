/** What the pages change about many traces at once, a few requests at a time. */

import { getJson, sendJson } from "./client";
import type { Assessment, SavedView, Trace } from "./types";

const AT_ONCE = 6;

/** Run `work` for every item; `onStep` hears how many are done. The first failure ends it. */
async function forEach<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
  onStep: (done: number) => void,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  let done = 0;
  const run = async (): Promise<void> => {
    while (next < items.length) {
      const at = next;
      next += 1;
      const item = items[at];
      if (item === undefined) return;
      // oxlint-disable-next-line no-await-in-loop -- a few workers, each one request at a time
      results[at] = await work(item);
      done += 1;
      onStep(done);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, run));
  return results;
}

function pathOf(traceId: string): string {
  return `/api/v1/traces/${encodeURIComponent(traceId)}`;
}

export async function tagTraces(
  traceIds: readonly string[],
  key: string,
  value: string,
  onStep: (done: number) => void,
): Promise<void> {
  await forEach(traceIds, (traceId) => setTag(traceId, key, value), onStep);
}

/** A key may hold slashes; the server takes the rest of the path as the key. */
function pathOfTag(traceId: string, key: string): string {
  return `${pathOf(traceId)}/tags/${key.split("/").map(encodeURIComponent).join("/")}`;
}

export function setTag(traceId: string, key: string, value: string): Promise<unknown> {
  return sendJson("PUT", pathOfTag(traceId, key), { value });
}

export function deleteTag(traceId: string, key: string): Promise<unknown> {
  return sendJson("DELETE", pathOfTag(traceId, key));
}

/** Feedback or an expectation, in MLflow's JSON. */
export function logAssessment(traceId: string, assessment: object): Promise<Assessment> {
  return sendJson("POST", `${pathOf(traceId)}/assessments`, assessment);
}

function pathOfAssessment(traceId: string, assessmentId: string): string {
  return `${pathOf(traceId)}/assessments/${encodeURIComponent(assessmentId)}`;
}

export function updateAssessment(
  traceId: string,
  assessmentId: string,
  change: { assessment: object; update_mask: readonly string[] },
): Promise<Assessment> {
  return sendJson("PATCH", pathOfAssessment(traceId, assessmentId), change);
}

export function deleteAssessment(traceId: string, assessmentId: string): Promise<unknown> {
  return sendJson("DELETE", pathOfAssessment(traceId, assessmentId));
}

export async function deleteTraces(traceIds: readonly string[]): Promise<number> {
  const body = { trace_ids: traceIds };
  return (await sendJson<{ deleted: number }>("POST", "/api/v1/traces/delete", body)).deleted;
}

function readWhole(traceId: string): Promise<Trace> {
  return getJson<Trace>(pathOf(traceId));
}

/** Read traces whole, as lines of what `write` makes of each; null leaves one out. */
export async function exportTraces(
  traceIds: readonly string[],
  write: (trace: Trace) => unknown,
  onStep: (done: number) => void,
): Promise<{ text: string; written: number }> {
  const lines = (await forEach(traceIds, readWhole, onStep)).map(write).filter((line) => line !== null);
  return { text: lines.map((line) => `${JSON.stringify(line)}\n`).join(""), written: lines.length };
}

export function saveView({ name, search }: SavedView): Promise<unknown> {
  return sendJson("PUT", `/api/v1/views/${encodeURIComponent(name)}`, { search });
}

export function deleteView(name: string): Promise<unknown> {
  return sendJson("DELETE", `/api/v1/views/${encodeURIComponent(name)}`);
}
