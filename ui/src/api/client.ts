/** One way to ask the server: JSON in, JSON out, and every failure an `ApiError`. */

const KEY_NAME = "whence.api_key";

/** A request failed. `status` 0: no answer came; `column` (1-based): where a filter is wrong. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
    readonly requestId: string | null,
    readonly column: number | null,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** Keep the key that a server beyond loopback demands, for this tab only. */
export function keepApiKey(key: string): void {
  sessionStorage.setItem(KEY_NAME, key);
}

export function hasApiKey(): boolean {
  return sessionStorage.getItem(KEY_NAME) !== null;
}

export async function getJson<T>(
  path: string,
  params: Iterable<readonly [string, string]> = [],
  signal?: AbortSignal,
): Promise<T> {
  const response = await ask(
    writeAddress(path, params),
    { headers: { accept: "application/json" } },
    signal,
  );
  return (await response.json()) as T;
}

/** Ask for a text that is no JSON, such as a report. */
export async function getText(
  path: string,
  params: Iterable<readonly [string, string]> = [],
): Promise<string> {
  const response = await ask(writeAddress(path, params), { headers: { accept: "text/*" } });
  return response.text();
}

/** Change something; the body and the answer are JSON. */
export async function sendJson<T>(
  method: "POST" | "PUT" | "PATCH" | "DELETE",
  path: string,
  body?: unknown,
): Promise<T> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await ask(path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return (await response.json()) as T;
}

/** Read a stream of text as it comes; `signal` ends it. */
export async function readStream(
  path: string,
  params: Iterable<readonly [string, string]>,
  signal: AbortSignal,
  onOpen: () => void,
  onText: (text: string) => void,
): Promise<void> {
  const init = { headers: { accept: "text/event-stream" }, cache: "no-store" as const };
  const response = await ask(writeAddress(path, params), init, signal);
  onOpen();
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) return;
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- a stream is read piece by piece
    const { done, value } = await reader.read();
    if (done) return;
    onText(value);
  }
}

function writeAddress(path: string, params: Iterable<readonly [string, string]>): string {
  const query = new URLSearchParams([...params].map(([key, value]) => [key, value])).toString();
  return query === "" ? path : `${path}?${query}`;
}

async function ask(
  address: string,
  init: RequestInit & { headers: Record<string, string> },
  signal?: AbortSignal,
): Promise<Response> {
  const key = sessionStorage.getItem(KEY_NAME);
  if (key !== null) init.headers["authorization"] = `Bearer ${key}`;
  let response: Response;
  try {
    response = await fetch(address, signal === undefined ? init : { ...init, signal });
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new ApiError("The server does not answer. Is it running?", 0, "UNREACHABLE", null, null);
  }
  if (!response.ok) throw await readError(response);
  return response;
}

async function readError(response: Response): Promise<ApiError> {
  let body: Record<string, unknown> = {};
  try {
    const parsed: unknown = await response.json();
    if (typeof parsed === "object" && parsed !== null) body = parsed as Record<string, unknown>;
  } catch {
    // A proxy in between may answer in HTML; the status is then all there is.
  }
  const text = (name: string): string | null => {
    const value = body[name];
    return typeof value === "string" ? value : null;
  };
  const column = body["column"];
  return new ApiError(
    text("message") ?? `The server answered ${response.status} ${response.statusText}`,
    response.status,
    text("error_code") ?? "UNKNOWN",
    text("request_id") ?? response.headers.get("x-request-id"),
    typeof column === "number" ? column : null,
  );
}

/** Ask again only where another try can help. */
export function isWorthRetrying(failures: number, error: unknown): boolean {
  if (failures >= 2 || !(error instanceof ApiError)) return false;
  return error.status === 0 || error.status === 429 || error.status >= 500;
}
