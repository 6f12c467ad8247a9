/** The views that come with Whence, and the address of any view. */

import type { SavedView } from "../../api/types";
import { buildTracesUrl, type TracesView } from "./url";

function define(name: string, view: Partial<TracesView>): SavedView {
  return { name, search: buildTracesUrl(view).split("?")[1] ?? "" };
}

export const BUILT_IN_VIEWS: readonly SavedView[] = [
  define("All traces", {}),
  define("Errors", { filter: "state = 'ERROR'" }),
  define("Slowest", { orderBy: ["execution_time_ms DESC"] }),
  define("Still running", { filter: "state = 'IN_PROGRESS'" }),
  define("Production", { filter: "environment = 'production'" }),
  define("From uncommitted code", { filter: "dirty = 'true'" }),
  define("By session", { isGrouped: true, filter: "session IS NOT NULL" }),
  define("Live", { isLive: true }),
];

export function hrefOfView(view: SavedView): string {
  return view.search === "" ? "/traces" : `/traces?${view.search}`;
}
