import assert from "node:assert/strict";
import { test } from "node:test";
import { pcm16, samplesOf } from "../src/audio/framer.ts";
import { Playout } from "../src/audio/playout.ts";

const RATE = 16000;
/** A millisecond of the line. */
const MS = RATE / 1000;

/** `ms` of one value. */
function steady(ms: number, value: number): ArrayBuffer {
  return pcm16(new Float32Array(ms * MS).fill(value));
}

function render(playout: Playout, ms: number): { out: Float32Array; marks: string[] } {
  const out = new Float32Array(ms * MS);
  return { marks: playout.render(out), out };
}

function near(actual: number | undefined, expected: number, what: string): void {
  assert.ok(Math.abs((actual ?? NaN) - expected) < 0.002, `${what}: ${actual}, not ${expected}`);
}

test("marks pass when the audio before them has been played, in order", () => {
  const playout = new Playout(RATE, RATE);
  playout.push(steady(30, 0.1));
  playout.mark("a");
  playout.push(steady(10, 0.2));
  playout.mark("b");
  assert.deepEqual(render(playout, 20).marks, []);
  assert.deepEqual(render(playout, 10).marks, ["a"]);
  assert.deepEqual(render(playout, 20).marks, ["b"]);
  assert.equal(playout.waiting, 0);
});

test("a mark without audio before it passes at once", () => {
  const playout = new Playout(RATE, RATE);
  playout.mark("a");
  assert.deepEqual(render(playout, 1).marks, ["a"]);
});

test("a mark is not passed in the block before its last sample", () => {
  const playout = new Playout(RATE, RATE);
  playout.push(pcm16(new Float32Array(129).fill(0.1)));
  playout.mark("a");
  assert.deepEqual(playout.render(new Float32Array(128)), []);
  assert.deepEqual(playout.render(new Float32Array(128)), ["a"]);
});

test("cleared audio is not played and its marks never pass; what comes after is", () => {
  const playout = new Playout(RATE, RATE);
  playout.push(steady(100, 0.5));
  playout.mark("cut");
  render(playout, 20);
  playout.clear();
  const { out, marks } = render(playout, 40);
  assert.deepEqual(marks, []);
  assert.ok(out[0]! < 0.5 && out[0]! > 0.4, "it dies away, without a click");
  assert.deepEqual(new Set(out.subarray(5 * MS)), new Set([0]));
  playout.push(steady(10, 0.25));
  playout.mark("next");
  const next = render(playout, 10);
  assert.deepEqual(next.marks, ["next"]);
  near(next.out[0], 0.25, "the audio after it");
});

test("ducking takes 30 ms, lasts until it is lifted, and is over after a clear", () => {
  const playout = new Playout(RATE, RATE);
  playout.push(steady(200, 0.8));
  playout.duck(0.25);
  const down = render(playout, 30).out;
  const steps = down.subarray(1).map((sample, at) => down[at]! - sample);
  assert.ok(Math.max(...steps) < 0.002, "no step is heard");
  near(render(playout, 10).out[0], 0.2, "lowered");
  playout.duck(1);
  render(playout, 40);
  near(render(playout, 1).out[0], 0.8, "lifted");
  playout.duck(0);
  render(playout, 40);
  playout.clear();
  playout.push(steady(100, 0.8));
  render(playout, 40);
  near(render(playout, 1).out[0], 0.8, "after a clear");
});

test("the queue grows around its seam without losing a sample", () => {
  const playout = new Playout(RATE, RATE);
  const ramp = (from: number, count: number) =>
    Float32Array.from({ length: count }, (_, at) => ((from + at) % 1000) / 1000);
  playout.push(pcm16(ramp(0, RATE * 3)));
  playout.render(new Float32Array(RATE * 2));
  playout.push(pcm16(ramp(RATE * 3, RATE * 10)));
  const out = new Float32Array(RATE * 11);
  playout.render(out);
  const expected = ramp(RATE * 2, RATE * 11);
  for (let at = 0; at < out.length; at += 1) near(out[at], expected[at]!, `sample ${at}`);
});

test("a byte that is half a sample is dropped", () => {
  assert.equal(samplesOf(new ArrayBuffer(5)).length, 2);
});

test("the device's rate does not move a mark by more than the filter's delay", () => {
  const playout = new Playout(RATE, 48000);
  playout.push(steady(100, 0.1));
  playout.mark("a");
  assert.deepEqual(playout.render(new Float32Array(48 * 99)), []);
  assert.deepEqual(playout.render(new Float32Array(48)), ["a"]);
});
