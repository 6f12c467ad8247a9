/** The command palette (Ctrl-K): type to go anywhere. */

import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";

import { experimentsQuery, matchingValuesQuery, valuesQuery, viewsQuery } from "../api/queries";
import { writeArm } from "../model/arms";
import { type Command, findCommands, readTraceId } from "../model/commands";
import { equals } from "../model/filter";
import { buildCompareUrl } from "../pages/compare/url";
import { buildTraceUrl } from "../pages/trace/url";
import { buildTracesUrl } from "../pages/traces/url";
import { BUILT_IN_VIEWS, hrefOfView } from "../pages/traces/views";
import { buildVersionUrl } from "../pages/versions/url";
import { navigate } from "../router";
import { applyTheme, type Theme } from "../theme";
import styles from "./Palette.module.css";

interface PaletteProps {
  pages: readonly Command[];
  onClose: () => void;
  onTheme: (theme: Theme) => void;
}

export default function Palette({ pages, onClose, onTheme }: PaletteProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState(0);
  const commands = [...pages, ...useCommands(onTheme, typed.trim())];
  const traceId = readTraceId(typed);
  const found =
    traceId === null
      ? findCommands(commands, typed)
      : [{ id: "trace", title: traceId, group: "Open the trace", href: buildTraceUrl({ traceId }) }];
  const chosen = Math.min(at, found.length - 1);
  useEffect(() => dialog.current?.showModal(), []);

  const run = (command: Command | undefined): void => {
    if (command === undefined) return;
    dialog.current?.close();
    command.run?.();
    if (command.href !== undefined) navigate(command.href);
  };
  const press = (event: KeyboardEvent): void => {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (by !== 0) {
      event.preventDefault();
      setAt((chosen + by + found.length) % Math.max(1, found.length));
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(found[chosen]);
    }
  };
  return (
    <dialog ref={dialog} className={styles.palette} aria-label="Command palette" onClose={onClose}>
      <input
        role="combobox"
        aria-label="Go to"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={found.length === 0 ? undefined : `palette-${chosen}`}
        autoComplete="off"
        spellCheck={false}
        placeholder="A page, a view, a version, a trace id…"
        value={typed}
        onChange={(event) => {
          setTyped(event.target.value);
          setAt(0);
        }}
        onKeyDown={press}
      />
      <div id="palette-list" className={styles.list} role="listbox" aria-label="Commands">
        {found.map((command, index) => (
          // The keyboard works from the field above, by aria-activedescendant.
          // oxlint-disable-next-line jsx-a11y/click-events-have-key-events
          <div
            key={command.id}
            id={`palette-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === chosen}
            onClick={() => run(command)}
            onPointerMove={() => setAt(index)}
          >
            <bdi>{command.title}</bdi>
            <span>{command.group}</span>
          </div>
        ))}
      </div>
      {found.length === 0 ? (
        <p>Nothing fits. A filter goes into the filter bar; a trace id has 32 hex digits.</p>
      ) : null}
    </dialog>
  );
}

/** `typed` finds versions that are not among the most frequent. */
function useCommands(onTheme: (theme: Theme) => void, typed: string): Command[] {
  const experiments = useQuery(experimentsQuery());
  const views = useQuery(viewsQuery());
  const frequent = useQuery(valuesQuery("app_version", []));
  const matching = useQuery(matchingValuesQuery("app_version", typed));
  const versions = typed === "" || matching.data === undefined ? frequent : matching;
  const environments = useQuery(valuesQuery("environment", []));
  const values = (field: string, group: string, query: typeof versions): Command[] =>
    (query.data?.facets[0]?.values ?? []).flatMap(({ value }) => {
      const filter = equals(field, value);
      if (filter === null) return [];
      return [{ id: `${field} ${value}`, title: value, group, href: buildTracesUrl({ filter }) }];
    });
  return [
    ...BUILT_IN_VIEWS.map((view) => ({
      id: `view ${view.name}`,
      title: view.name,
      group: "View",
      href: hrefOfView(view),
    })),
    ...(views.data?.views ?? []).map((view) => ({
      id: `saved ${view.name}`,
      title: view.name,
      group: "Saved view",
      href: hrefOfView(view),
    })),
    ...values("environment", "Environment", environments),
    ...values("app_version", "Traces of the version", versions),
    ...(versions.data?.facets[0]?.values ?? []).flatMap(({ value }) => [
      {
        id: `version ${value}`,
        title: value,
        group: "Version",
        href: buildVersionUrl({ version: value }),
      },
      {
        id: `compare ${value}`,
        title: `Compare ${value} with the one before`,
        group: "Comparison",
        href: buildCompareUrl({ candidate: writeArm("version", value) }),
      },
    ]),
    ...(experiments.data?.experiments ?? []).map((one) => ({
      id: `experiment ${one.experiment_id}`,
      title: one.name,
      group: "Experiment",
      href: buildTracesUrl({ experimentIds: [one.experiment_id] }),
    })),
    ...(["light", "dark", "system"] as const).map((theme) => ({
      id: `theme ${theme}`,
      title: theme === "system" ? "Colours as the system says" : `${theme === "light" ? "Light" : "Dark"} colours`,
      group: "Theme",
      run: () => {
        applyTheme(theme);
        onTheme(theme);
      },
    })),
  ];
}
