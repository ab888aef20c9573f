import assert from "node:assert/strict";
import { test } from "node:test";
import { bar, median, ticks } from "../src/latency.ts";

const WHOLE = { endpoint: 400, transcript: 410, first_token: 560, first_clause: 660, first_audio: 780, sent: 781, heard: 790 };

test("an answer's time is spent on parts that follow each other", () => {
  assert.deepEqual(bar(1, WHOLE)?.parts, [
    { name: "listening", from: 0, to: 410 },
    { name: "model", from: 410, to: 660 },
    { name: "voice", from: 660, to: 780 },
    { name: "way", from: 780, to: 790 },
  ]);
  assert.equal(bar(1, WHOLE)?.total, 790);
});

test("missing stages make no holes, and times that go back no bars of less than nothing", () => {
  assert.deepEqual(bar(2, { endpoint: 300, heard: 500 })?.parts, [
    { name: "listening", from: 0, to: 300 },
    { name: "way", from: 300, to: 500 },
  ]);
  const eager = bar(3, { endpoint: 400, transcript: 410, first_token: 200, first_clause: 300, first_audio: 390, heard: 450 });
  assert.deepEqual(eager?.parts.map(({ from, to }) => to - from), [410, 40]);
});

test("the greeting is no answer", () => {
  assert.equal(bar(0, {}), undefined);
});

test("lines are few and round", () => {
  assert.deepEqual(ticks(790), [0, 200, 400, 600, 800]);
  assert.deepEqual(ticks(0), [0, 100]);
  assert.deepEqual(ticks(1200), [0, 500, 1000, 1500]);
  for (const most of [1, 99, 501, 4999, 12_345, 200_000]) {
    const made = ticks(most);
    assert.ok(made.length <= 7 && made.at(-1)! >= most, `${most}: ${made}`);
  }
});

test("the median is the middle", () => {
  const bars = [300, 100, 200].map((heard) => bar(1, { heard })!);
  assert.equal(median(bars), 200);
  assert.equal(median(bars.slice(0, 2)), 200);
  assert.equal(median([]), 0);
});
