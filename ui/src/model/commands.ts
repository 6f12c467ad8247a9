/** The command palette: what fits the typed text, the best first. */

import { rank } from "./filterSyntax";

export interface Command {
  id: string;
  title: string;
  /** The kind of thing, shown beside it. */
  group: string;
  /** Where it leads; a command without one does something here. */
  href?: string;
  run?: () => void;
}

const MOST_SHOWN = 12;

export function findCommands(commands: readonly Command[], typed: string): Command[] {
  const words = typed.trim().split(/\s+/).filter(Boolean);
  return commands
    .flatMap((command) => {
      const text = `${command.title} ${command.group}`;
      const ranks = words.map((word) => rank(text, word));
      if (ranks.includes(null)) return [];
      return [{ command, score: ranks.reduce((sum: number, one) => sum + (one ?? 0), 0) }];
    })
    .toSorted((a, b) => a.score - b.score)
    .slice(0, MOST_SHOWN)
    .map(({ command }) => command);
}

/** A whole trace id in what was typed or pasted, as the server takes it; null where there is none. */
export function readTraceId(typed: string): string | null {
  const text = typed.trim();
  return /^(tr-)?[0-9a-f]{32}$/i.test(text) ? text.toLowerCase() : null;
}
