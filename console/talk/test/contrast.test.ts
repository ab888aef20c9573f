import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";

const style = fs.readFileSync(new URL("../style.css", import.meta.url), "utf8");

/** The colours of one block `:root { … }`. */
function colours(block: string): Record<string, string> {
  return Object.fromEntries([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, value]) => [name, value]));
}

/** Relative luminance (WCAG 2.2). */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const value = parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

/** What stands on what, and the least contrast: 4.5 for text, 3 for controls and drawings (AA). */
const PAIRS: [string, string, number][] = [
  ...["ground", "surface", "caller", "agent", "danger-ground"].map((on): [string, string, number] => ["text", on, 4.5]),
  ...["ground", "surface", "agent"].map((on): [string, string, number] => ["muted", on, 4.5]),
  ["accent", "surface", 4.5],
  ["accent", "ground", 4.5],
  ["on-accent", "accent", 4.5],
  ["on-danger", "danger", 4.5],
  ...["control", "listening", "model", "voice", "way"].map((name): [string, string, number] => [name, "surface", 3]),
];

const [, light = "", dark = ""] = style.split(":root {");
for (const [scheme, block] of [["light", light], ["dark", dark]] as const) {
  test(`everything can be read in ${scheme}`, () => {
    const known = colours(block.slice(0, block.indexOf("}")));
    for (const [front, back, least] of PAIRS) {
      const [one, other] = [known[front], known[back]];
      assert.ok(one && other, `${front} or ${back} is not defined`);
      const found = contrast(one, other);
      assert.ok(found >= least, `${front} on ${back}: ${found.toFixed(2)}, not ${least}`);
    }
  });
}
