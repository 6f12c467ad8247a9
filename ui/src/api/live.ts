/** Listens to the live tail for as long as a page wants it, and comes back after a break. */

import { useEffect, useEffectEvent, useState } from "react";

import { readEvents } from "../model/live";
import { ApiError, readStream } from "./client";
import { type Scope, writeScope } from "./queries";
import type { TraceInfo } from "./types";

export type LiveStatus = "off" | "connecting" | "connected" | "lost";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

/** `onReturn`: the connection was lost and is back; what happened meanwhile must be asked for. */
export function useLiveTail(
  scope: Scope | null,
  onTrace: (info: TraceInfo) => void,
  onReturn: () => void,
): LiveStatus {
  const [status, setStatus] = useState<LiveStatus>("off");
  const hear = useEffectEvent(onTrace);
  const comeBack = useEffectEvent(onReturn);
  const key = scope === null ? null : JSON.stringify(writeScope({ ...scope, bounds: NO_BOUNDS }));

  useEffect(() => {
    if (key === null) return;
    const params = JSON.parse(key) as [string, string][];
    const leaving = new AbortController();
    let wasLost = false;
    let waitMs = FIRST_WAIT_MS;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const listen = async (): Promise<void> => {
      setStatus(wasLost ? "lost" : "connecting");
      let rest = "";
      try {
        await readStream(
          "/api/v1/traces/live",
          params,
          leaving.signal,
          () => {
            setStatus("connected");
            waitMs = FIRST_WAIT_MS;
            if (wasLost) comeBack();
          },
          (text) => {
            const read = readEvents(rest + text);
            rest = read.rest;
            for (const event of read.events) hear(JSON.parse(event) as TraceInfo);
          },
        );
      } catch (error) {
        if (leaving.signal.aborted) return;
        if (error instanceof ApiError && error.status >= 400 && error.status < 500) {
          setStatus("lost"); // a wrong filter or key: the list says so, and a retry can't help
          return;
        }
      }
      if (leaving.signal.aborted) return;
      wasLost = true;
      setStatus("lost");
      timer = setTimeout(() => void listen(), waitMs);
      waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
    };
    void listen();
    return () => {
      leaving.abort();
      clearTimeout(timer);
    };
  }, [key]);

  return key === null ? "off" : status;
}

const NO_BOUNDS = { sinceMs: null, untilMs: null };
