// The times of answers as bars. No page in it, so that it can be tested alone.
import { STAGES, type TurnLatency } from "../../client/src/protocol.ts";

/** What a part of an answer's time was spent on; also the names of its colours. */
export const PARTS = [
  { name: "listening", words: "understanding you", until: "transcript" },
  { name: "model", words: "thinking", until: "first_clause" },
  { name: "voice", words: "making speech", until: "first_audio" },
  { name: "way", words: "way to your ear", until: "heard" },
] as const;

/** One part of a bar, in ms. */
export interface Part {
  name: (typeof PARTS)[number]["name"];
  from: number;
  to: number;
}

/** One answer. */
export interface Bar {
  turn: number;
  parts: Part[];
  /** End of the caller's speech to the first audio heard, in ms. */
  total: number;
  latency: TurnLatency;
}

/** An answer as a bar; `undefined` for one that nobody waited for, such as the greeting. */
export function bar(turn: number, latency: TurnLatency): Bar | undefined {
  const total = latency.heard ?? latency.sent;
  if (total === undefined) return undefined;
  const parts: Part[] = [];
  let from = 0;
  for (const { name, until } of PARTS) {
    const reached = until === "heard" ? total : latestBefore(latency, until);
    const to = Math.min(total, Math.max(from, reached ?? from));
    if (to > from) parts.push({ name, from, to });
    from = to;
  }
  return { turn, parts, total, latency };
}

/** When `stage` was reached: a stage that was not noted came with the last one before it. */
function latestBefore(latency: TurnLatency, stage: keyof TurnLatency): number | undefined {
  const stages = STAGES.slice(0, STAGES.indexOf(stage) + 1);
  const times = stages.map((name) => latency[name]).filter((ms) => ms !== undefined);
  return times.length === 0 ? undefined : Math.max(...times);
}

/** Where to draw lines for times up to `most` ms: at most six, at round numbers, the last beyond it. */
export function ticks(most: number): number[] {
  const steps = [100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 60_000];
  const step = steps.find((ms) => most / ms <= 5) ?? 300_000;
  const count = Math.max(1, Math.ceil(most / step));
  return Array.from({ length: count + 1 }, (_, at) => at * step);
}

/** The middle one of all totals. */
export function median(bars: readonly Bar[]): number {
  const sorted = bars.map(({ total }) => total).sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[middle - 1] ?? 0, sorted[middle] ?? 0];
  return sorted.length % 2 === 1 ? high : Math.round((low + high) / 2);
}
