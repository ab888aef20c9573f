import { samplesOf } from "./framer.ts";
import { Resampler } from "./resampler.ts";

/** How fast `duck` takes hold, in ms: no click, and no word lost. */
const RAMP_MS = 30;
/** How fast cleared audio dies away, in ms. */
const FADE_MS = 5;
/** Room at the beginning, in s; it grows. */
const ROOM_S = 4;

/** A loudspeaker's queue: agent audio and marks in order, played by the clock of whoever asks. */
export class Playout {
  readonly #rate: number;
  readonly #resampler: Resampler;
  #ring: Float32Array;
  /** Samples put in and played since the beginning; a sample's place in the ring is its number's rest. */
  #written = 0;
  #played = 0;
  readonly #marks: { name: string; at: number }[] = [];
  /** What dies away after a `clear`. */
  #fade = new Float32Array(0);
  #gain = 1;
  #target = 1;

  /** `lineRate`: of what comes, `rate`: of the device. */
  constructor(lineRate: number, rate: number) {
    this.#rate = rate;
    this.#resampler = new Resampler(lineRate, rate);
    this.#ring = new Float32Array(rate * ROOM_S);
  }

  /** Samples that wait to be played. */
  get waiting(): number {
    return this.#written - this.#played;
  }

  /**
   * Queues PCM16 of the line. A whole message is resampled at once, between two blocks of the audio
   * thread: 0.4 ms for 100 ms of speech, of the 2.7 ms that a block of 128 samples at 48 kHz lasts.
   */
  push(pcm: ArrayBuffer): void {
    const samples = this.#resampler.process(samplesOf(pcm));
    this.#grow(samples.length);
    const begin = this.#written % this.#ring.length;
    const first = samples.subarray(0, this.#ring.length - begin);
    this.#ring.set(first, begin);
    this.#ring.set(samples.subarray(first.length), 0);
    this.#written += samples.length;
  }

  /** Queues a mark behind the audio so far. */
  mark(name: string): void {
    this.#marks.push({ name, at: this.#written });
  }

  /** Drops what is not played, and its marks. What plays dies away within 5 ms, and is as loud as ever. */
  clear(): void {
    const fade = new Float32Array(Math.min(this.waiting, (this.#rate * FADE_MS) / 1000));
    for (let at = 0; at < fade.length; at += 1) fade[at] = this.#take() * (1 - (at + 1) / fade.length);
    this.#fade = fade;
    this.#played = this.#written;
    this.#marks.length = 0;
    this.#resampler.reset();
    this.#target = 1;
  }

  /** Makes what plays from now on louder or quieter; 1 is as it came. */
  duck(gain: number): void {
    this.#target = Math.max(0, Math.min(1, gain));
  }

  /** Fills `out`, with silence where there is nothing; the marks that were passed. */
  render(out: Float32Array): string[] {
    const fading = Math.min(this.#fade.length, out.length);
    out.set(this.#fade.subarray(0, fading));
    this.#fade = this.#fade.subarray(fading);
    // What comes after a clear does not wait for what dies away.
    for (let at = 0; at < out.length; at += 1) {
      const old = at < fading ? out[at]! : 0;
      out[at] = old + (this.#played < this.#written ? this.#take() : 0);
    }
    const passed: string[] = [];
    while (this.#marks[0] && this.#marks[0].at <= this.#played) passed.push(this.#marks.shift()!.name);
    return passed;
  }

  /** The next sample as loud as it is to be. */
  #take(): number {
    const step = 1000 / (RAMP_MS * this.#rate);
    if (this.#gain < this.#target) this.#gain = Math.min(this.#target, this.#gain + step);
    else if (this.#gain > this.#target) this.#gain = Math.max(this.#target, this.#gain - step);
    const sample = this.#ring[this.#played % this.#ring.length]!;
    this.#played += 1;
    return sample * this.#gain;
  }

  #grow(more: number): void {
    const needed = this.waiting + more;
    if (needed <= this.#ring.length) return;
    const ring = new Float32Array(Math.max(needed, this.#ring.length * 2));
    for (let at = this.#played; at < this.#written; at += 1) {
      ring[at % ring.length] = this.#ring[at % this.#ring.length]!;
    }
    this.#ring = ring;
  }
}
