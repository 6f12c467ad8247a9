/** The search on the page as Python, command line or curl; and the export of all that it finds. */

import { useQuery } from "@tanstack/react-query";

import { experimentsQuery } from "../../api/queries";
import { CopyButton } from "../../components/CopyButton";
import { Menu } from "../../components/Menu";
import {
  type Search,
  writeCurl,
  writeExport,
  writePython,
  writeShell,
} from "../../model/snippets";
import type { Bounds } from "../../model/time";
import styles from "./menus.module.css";
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
  return (
    <Menu title="This search as code" label="Copy as" align="end">
      {WAYS.map(({ title, write }) => {
        const text = write(search, window.location.origin);
        return (
          <section key={title} className={styles.snippet} aria-label={title}>
            <header>
              {title}
              <CopyButton text={text} />
            </header>
            <pre>{text}</pre>
          </section>
        );
      })}
    </Menu>
  );
}
