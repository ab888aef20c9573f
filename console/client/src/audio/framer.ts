import { FRAME_MS } from "../protocol.ts";
import { rms } from "./level.ts";
import { Resampler } from "./resampler.ts";

/** Microphone blocks in, frames of 20 ms for the line out. */
export class Framer {
  readonly #resampler: Resampler;
  readonly #frame: Float32Array;
  readonly #send: (frame: ArrayBuffer, level: number) => void;
  #filled = 0;

  /** `from`: the device's rate, `to`: the line's. `send` gets PCM16 and its root mean square. */
  constructor(from: number, to: number, send: (frame: ArrayBuffer, level: number) => void) {
    this.#resampler = new Resampler(from, to);
    this.#frame = new Float32Array((to * FRAME_MS) / 1000);
    this.#send = send;
  }

  /** Takes the next block. */
  push(block: Float32Array): void {
    let rest = this.#resampler.process(block);
    while (rest.length > 0) {
      const now = Math.min(rest.length, this.#frame.length - this.#filled);
      this.#frame.set(rest.subarray(0, now), this.#filled);
      this.#filled += now;
      rest = rest.subarray(now);
      if (this.#filled === this.#frame.length) {
        this.#filled = 0;
        this.#send(pcm16(this.#frame), rms(this.#frame));
      }
    }
  }
}

/** Samples in -1 to 1 as signed 16 bit, little-endian; what is louder is held at the limit. */
export function pcm16(samples: Float32Array): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(samples.length * 2));
  samples.forEach((sample, at) => {
    view.setInt16(at * 2, Math.round(Math.max(-1, Math.min(1, sample)) * 32767), true);
  });
  return view.buffer;
}

/** The way back. A byte over at the end is no sample. */
export function samplesOf(pcm: ArrayBuffer): Float32Array {
  const view = new DataView(pcm);
  const samples = new Float32Array(Math.floor(pcm.byteLength / 2));
  for (let at = 0; at < samples.length; at += 1) samples[at] = view.getInt16(at * 2, true) / 32768;
  return samples;
}
