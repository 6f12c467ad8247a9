/** The search on the page as Python, command line or curl; and the export of all that it finds. */

import { useQuery } from "@tanstack/react-query";

import { experimentsQuery } from "../../api/queries";
import { CodeMenu } from "../../components/CodeMenu";
import {
  type Search,
  writeCurl,
  writeExport,
  writePython,
  writeShell,
} from "../../model/snippets";
import type { Bounds } from "../../model/time";
import type { TracesView } from "./url";

const WAYS: readonly { title: string; write: (search: Search, url: string) => string }[] = [
  { title: "Python", write: writePython },
  { title: "Command line", write: writeShell },
  { title: "curl", write: writeCurl },
  { title: "Export all that match (OTLP/JSON)", write: writeExport },
];

export function CopyMenu({ view, bounds }: { view: TracesView; bounds: Bounds }) {
  const { data } = useQuery(experimentsQuery());
  const allExperimentIds = data?.experiments.map((one) => one.experiment_id) ?? [];
  const search: Search = { ...view, bounds, allExperimentIds };
  const programs = WAYS.map(({ title, write }) => ({
    title,
    text: write(search, window.location.origin),
  }));
  return <CodeMenu title="This search as code" programs={programs} />;
}
