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

export async function getJson<T>(
  path: string,
  params: Iterable<readonly [string, string]> = [],
  signal?: AbortSignal,
): Promise<T> {
  const query = new URLSearchParams([...params].map(([key, value]) => [key, value])).toString();
  const key = sessionStorage.getItem(KEY_NAME);
  const headers: Record<string, string> = { accept: "application/json" };
  if (key !== null) headers["authorization"] = `Bearer ${key}`;
  let response: Response;
  try {
    response = await fetch(query === "" ? path : `${path}?${query}`, {
      headers,
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new ApiError("The server does not answer. Is it running?", 0, "UNREACHABLE", null, null);
  }
  if (!response.ok) throw await readError(response);
  return (await response.json()) as T;
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
