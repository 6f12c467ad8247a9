/** Every number's way to the traces behind it. */

import { createContext, use } from "react";

import { buildTracesUrl } from "../traces/url";

/** The experiments that the comparison is of. */
export const ComparedExperiments = createContext<readonly string[]>([]);

/** Filters of a comparison hold its environment, times and filter already. */
export function useTracesHref(): (filter: string) => string {
  const experimentIds = use(ComparedExperiments);
  return (filter) => buildTracesUrl({ filter, experimentIds });
}
