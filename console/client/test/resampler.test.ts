import assert from "node:assert/strict";
import { test } from "node:test";
import { Framer, pcm16, samplesOf } from "../src/audio/framer.ts";
import { Resampler } from "../src/audio/resampler.ts";

function tone(hz: number, rate: number, seconds: number): Float32Array {
  return Float32Array.from({ length: rate * seconds }, (_, at) => 0.5 * Math.sin((2 * Math.PI * hz * at) / rate));
}

function convert(input: Float32Array, from: number, to: number, block = 128): Float32Array {
  const resampler = new Resampler(from, to);
  const out: number[] = [];
  for (let at = 0; at < input.length; at += block) out.push(...resampler.process(input.subarray(at, at + block)));
  return Float32Array.from(out);
}

const db = (ratio: number) => 20 * Math.log10(ratio);

function power(samples: Float32Array): number {
  return samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
}

/** What of a tone at `hz` is in the middle of the samples, and what else is, both as amplitudes. */
function split(samples: Float32Array, hz: number, rate: number): { tone: number; rest: number } {
  const middle = samples.subarray(rate / 10, samples.length - rate / 10);
  let cos = 0;
  let sin = 0;
  middle.forEach((sample, at) => {
    cos += sample * Math.cos((2 * Math.PI * hz * at) / rate);
    sin += sample * Math.sin((2 * Math.PI * hz * at) / rate);
  });
  const [a, b] = [(2 * cos) / middle.length, (2 * sin) / middle.length];
  const rest = middle.map(
    (sample, at) => sample - a * Math.cos((2 * Math.PI * hz * at) / rate) - b * Math.sin((2 * Math.PI * hz * at) / rate),
  );
  return { tone: Math.hypot(a, b), rest: Math.sqrt(2 * power(rest)) };
}

for (const [from, to] of [[48000, 16000], [44100, 16000], [16000, 48000], [16000, 44100], [96000, 16000]] as const) {
  test(`${from} to ${to} Hz: speech passes unchanged`, () => {
    for (const hz of [200, 1000, 3000, 6000]) {
      const { tone: level, rest } = split(convert(tone(hz, from, 1), from, to), hz, to);
      assert.ok(Math.abs(db(level / 0.5)) < 0.1, `${hz} Hz comes out ${db(level / 0.5).toFixed(2)} dB off`);
      assert.ok(db(rest / level) < -80, `beside ${hz} Hz there is ${db(rest / level).toFixed(0)} dB`);
    }
  });
}

for (const from of [48000, 44100, 96000]) {
  test(`${from} to 16000 Hz: what the line cannot carry does not fold into it`, () => {
    for (const hz of [8000, 9000, 12000, 15900, 20000]) {
      const out = convert(tone(hz, from, 1), from, 16000).subarray(1600, 14400);
      const level = db(Math.sqrt(2 * power(out)) / 0.5);
      assert.ok(level < -75, `${hz} Hz leaves ${level.toFixed(0)} dB`);
    }
  });
}

test("the length is right, and blocks of any size give the same samples", () => {
  const input = tone(440, 44100, 1);
  const whole = convert(input, 44100, 16000, input.length);
  assert.ok(Math.abs(whole.length - 16000) <= 1);
  for (const block of [1, 127, 128, 4096]) assert.deepEqual(convert(input, 44100, 16000, block), whole);
});

test("equal rates cost nothing and change nothing", () => {
  const input = tone(440, 16000, 1);
  assert.deepEqual(convert(input, 16000, 16000), input);
});

test("the microphone is cut into frames of 20 ms, and too loud is held at the limit", () => {
  const frames: { frame: ArrayBuffer; level: number }[] = [];
  const framer = new Framer(48000, 16000, (frame, level) => frames.push({ frame, level }));
  const loud = tone(440, 48000, 1).map((sample) => sample * 4);
  for (let at = 0; at < loud.length; at += 128) framer.push(loud.subarray(at, at + 128));
  assert.ok(frames.length >= 49 && frames.length <= 50, `${frames.length} frames of a second`);
  for (const { frame } of frames) assert.equal(frame.byteLength, 640);
  const samples = frames.slice(5).flatMap(({ frame }) => [...samplesOf(frame)]);
  assert.ok(Math.max(...samples) > 0.999 && Math.min(...samples) < -0.999);
  assert.ok(frames[20]!.level > 1, "the meter sees that it is too loud");
});

test("samples are written low byte first", () => {
  assert.deepEqual([...new Uint8Array(pcm16(Float32Array.of(0.25, -1)))], [0x00, 0x20, 0x01, 0x80]);
});
