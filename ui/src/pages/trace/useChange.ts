/** A change of the trace: run, then the trace is read again; a failure is said where it was asked for. */

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { ApiError } from "../../api/client";
import { traceQuery } from "../../api/queries";

export function useChange(traceId: string) {
  const queries = useQueryClient();
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const work = async (change: () => Promise<unknown>, onDone?: () => void): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      await change();
      await queries.invalidateQueries({ queryKey: traceQuery(traceId).queryKey });
      void queries.invalidateQueries({ queryKey: ["traces"] });
      onDone?.();
    } catch (error) {
      setProblem(describe(error));
    } finally {
      setBusy(false);
    }
  };
  const run = (change: () => Promise<unknown>, onDone?: () => void): void => void work(change, onDone);
  return { run, isBusy, problem };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const id = error instanceof ApiError ? error.requestId : null;
  return id === null ? error.message : `${error.message} (request ${id})`;
}
