import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

const CSS = readFileSync(new URL("../src/styles/tokens.css", import.meta.url), "utf8");
const PAIRS = new Map(
  [...CSS.matchAll(/--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)].map(
    ([, name = "", light = "", dark = ""]) => [name, [light, dark]] as const,
  ),
);
const TEXTS = ["text", "text-soft", "text-faint", "accent", "ok", "error", "warn", "running"];
const GROUNDS = ["canvas", "surface", "sunken", "hover"];

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

test.each(TEXTS.flatMap((text) => GROUNDS.map((ground) => [text, ground] as const)))(
  "%s reads on %s in light and in dark",
  (text, ground) => {
    for (const scheme of [0, 1] as const) {
      const colour = PAIRS.get(text)?.[scheme] ?? "missing";
      expect(contrast(colour, PAIRS.get(ground)?.[scheme] ?? "missing")).toBeGreaterThan(4.5);
    }
  },
);
