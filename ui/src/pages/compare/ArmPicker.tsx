/** Chooses one side of the comparison: a version, a branch, a commit, a manifest, or a filter. */

import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useState } from "react";

import { type VersionScope, versionsQuery } from "../../api/versions";
import { facetsQuery } from "../../api/queries";
import { Menu, MenuClose } from "../../components/Menu";
import { type ArmKind, readArm, shortenArm, writeArm } from "../../model/arms";
import { equals } from "../../model/filter";
import { formatAge, formatNumberOf, shortenCommit } from "../../model/format";
import { Link, navigate } from "../../router";
import styles from "./ArmPicker.module.css";

const VALUES = 20;
const GROUPS = ["Versions", "Manifests", "Branches", "Commits"];
const DIGITS = 12;

interface ArmPickerProps {
  side: "Baseline" | "Candidate";
  /** As in the address; null: the server chose `resolved`. */
  text: string | null;
  resolved: string | null;
  scope: VersionScope;
  isOpen: boolean;
  onOpenChange: (isOpen: boolean) => void;
  hrefOf: (arm: string | null) => string;
}

interface Option {
  arm: string;
  title: string;
  detail: string;
  group: string;
}

export function ArmPicker(props: ArmPickerProps) {
  const { side, text, resolved, isOpen, onOpenChange } = props;
  const named = text ?? resolved;
  return (
    <Menu
      title={side}
      isOpen={isOpen}
      onOpenChange={onOpenChange}
      label={
        <span className={styles.label} data-side={side}>
          <i aria-hidden="true" />
          <span>{side}</span>
          <b>
            <bdi>{named === null ? (side === "Baseline" ? "the one before" : "newest") : describeArm(named)}</bdi>
          </b>
        </span>
      }
    >
      <Choices {...props} />
    </Menu>
  );
}

function describeArm(text: string): string {
  const arm = readArm(text);
  const kind = arm.kind === null || arm.kind === "version" ? "" : `${arm.kind} `;
  return kind + shortenArm(arm);
}

function Choices({ side, text, scope, hrefOf, onOpenChange }: ArmPickerProps) {
  const [typed, setTyped] = useState("");
  const { options, isReady } = useOptions(scope);
  const wanted = typed.trim();
  const found = findOptions(options, wanted);
  const own: Option[] =
    wanted === "" || found.some(({ title }) => title === wanted)
      ? []
      : [
          { arm: wanted, title: wanted, detail: "version, commit or branch", group: "As typed" },
          { arm: `filter:${wanted}`, title: wanted, detail: "as a filter", group: "As typed" },
        ];
  const auto: Option[] =
    wanted === ""
      ? [
          {
            arm: "",
            title: side === "Baseline" ? "The version before the candidate" : "The newest version",
            detail: "",
            group: "By itself",
          },
        ]
      : [];
  const all = [...found, ...own, ...auto];
  return (
    // The links are walked with the arrow keys as well as with Tab.
    // oxlint-disable-next-line jsx-a11y/no-static-element-interactions
    <div className={styles.choices} onKeyDown={walk}>
      <input
        aria-label={`Find the ${side.toLowerCase()}`}
        placeholder="Version, branch, commit, or a filter"
        autoComplete="off"
        spellCheck={false}
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        onKeyDown={(event) => {
          const first = all[0];
          if (event.key !== "Enter") return;
          event.preventDefault();
          // Before the versions are there, what was typed is no choice among them.
          if (first === undefined || wanted === "" || !isReady) return;
          onOpenChange(false);
          navigate(hrefOf(first.arm));
        }}
      />
      <ul>
        {all.map((option, index) => (
          <li key={`${option.group} ${option.arm}`}>
            {all[index - 1]?.group === option.group ? null : <h3>{option.group}</h3>}
            <MenuClose asChild>
              <Link
                href={hrefOf(option.arm === "" ? null : option.arm)}
                aria-current={(text ?? "") === option.arm ? "true" : undefined}
              >
                <bdi>{option.title}</bdi>
                <span>{option.detail}</span>
              </Link>
            </MenuClose>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Those that hold the text; of each group first those whose names begin with it. */
function findOptions(options: readonly Option[], wanted: string): Option[] {
  const text = wanted.toLowerCase();
  const rank = ({ title, detail }: Option): number => {
    const at = title.toLowerCase().indexOf(text);
    return at === 0 ? 0 : at > 0 ? 1 : detail.toLowerCase().includes(text) ? 2 : 3;
  };
  return options.filter((one) => rank(one) < 3).toSorted(
    (a, b) => GROUPS.indexOf(a.group) - GROUPS.indexOf(b.group) || rank(a) - rank(b),
  );
}

/** Arrow keys go from link to link. */
function walk(event: KeyboardEvent<HTMLElement>): void {
  const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (by === 0) return;
  event.preventDefault();
  const stops = [...event.currentTarget.querySelectorAll<HTMLElement>("input, a")];
  const at = stops.findIndex((one) => one === document.activeElement);
  stops[Math.min(stops.length - 1, Math.max(0, at + by))]?.focus();
}

function useOptions(scope: VersionScope): { options: Option[]; isReady: boolean } {
  const versions = useQuery(versionsQuery(scope));
  const where = scope.environment === null ? null : equals("environment", scope.environment);
  const facets = useQuery(
    facetsQuery(
      { filter: where ?? "", experimentIds: scope.experimentIds, bounds: scope.bounds },
      ["branch", "commit"],
      VALUES,
    ),
  );
  const [openedAtMs] = useState(() => Date.now());
  const rows = versions.data?.versions ?? [];
  const named = rows.flatMap((row): Option[] => {
    if (row.app_version === null) return [];
    const commit = row.commits[0]?.commit;
    const detail = [
      formatNumberOf(row.traces + row.unfinished, "trace"),
      commit === undefined ? "" : `${shortenCommit(commit).slice(0, 7)}${row.dirty > 0 ? "*" : ""}`,
      formatAge(openedAtMs - row.last_seen_ms),
    ];
    return [
      {
        arm: writeArm("version", row.app_version),
        title: row.app_version,
        detail: detail.filter(Boolean).join(" · "),
        group: "Versions",
      },
    ];
  });
  // A version that is one and the same everywhere needs no further name.
  const manifests = rows.flatMap((row): Option[] =>
    row.manifest_count < 2
      ? []
      : row.manifests.map(({ digest, traces }) => ({
          arm: writeArm("manifest", digest.slice(0, DIGITS)),
          title: digest.slice(0, DIGITS),
          detail: `${row.app_version ?? "no version"} · ${formatNumberOf(traces, "trace")}`,
          group: "Manifests",
        })),
  );
  const counted = (facets.data?.facets ?? []).flatMap((facet): Option[] =>
    facet.values.map(({ value, count }) => ({
      arm: writeArm(facet.field as ArmKind, value),
      title: facet.field === "commit" ? shortenCommit(value) : value,
      detail: formatNumberOf(count, "trace"),
      group: facet.field === "commit" ? "Commits" : "Branches",
    })),
  );
  return {
    options: [...named, ...manifests, ...counted],
    isReady: !versions.isPending && !versions.isPlaceholderData,
  };
}
