// Sample-rate conversion between the browser's audio device and the line: a polyphase low-pass filter
// (windowed sinc, Kaiser), so that nothing above the lower rate's limit folds back into the speech.

/** Zero crossings of the sinc on each side: more is steeper and costs more. */
const ZEROS = 32;
/** Kaiser's beta: stop band at about -90 dB. */
const BETA = 9;
/** Middle of the transition, as a share of the lower rate's limit; with the two above it ends at the limit. */
const ROLL_OFF = 0.91;

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/** Modified Bessel function of the first kind, order zero, by its series. */
function bessel(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-12; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** One filter for each of `phases` places between two input samples, `taps` long, each of sum 1. */
function filters(phases: number, taps: number, cutoff: number): Float32Array[] {
  const half = (taps * phases) / 2;
  const scale = bessel(BETA);
  return Array.from({ length: phases }, (_, phase) => {
    const filter = new Float64Array(taps);
    let sum = 0;
    for (let tap = 0; tap < taps; tap += 1) {
      const at = tap * phases + phase - half;
      const inside = 1 - (at / half) ** 2;
      const window = inside > 0 ? bessel(BETA * Math.sqrt(inside)) / scale : 0;
      const x = (at / phases) * cutoff;
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
      filter[tap] = sinc * window;
      sum += filter[tap]!;
    }
    return Float32Array.from(filter, (value) => value / sum);
  });
}

/** Converts a stream of blocks; the filter's memory goes from one block to the next. */
export class Resampler {
  readonly #phases: number;
  readonly #step: number;
  readonly #taps: number;
  readonly #filters: Float32Array[];
  /** The last `taps` input samples, then the block at hand. */
  #input: Float32Array;
  #output = new Float32Array(0);
  /** Where the next output sample lies: input samples, and phases, from the begin of the block. */
  #whole = 0;
  #phase = 0;

  /** Samples a second, in and out. */
  constructor(from: number, to: number) {
    const common = gcd(from, to);
    this.#phases = to / common;
    this.#step = from / common;
    this.#taps = from === to ? 0 : 2 * Math.ceil(ZEROS * Math.max(1, from / to));
    this.#filters = from === to ? [] : filters(this.#phases, this.#taps, ROLL_OFF * Math.min(1, to / from));
    this.#input = new Float32Array(this.#taps);
  }

  /** Forgets what went before. */
  reset(): void {
    this.#input.fill(0);
    this.#whole = 0;
    this.#phase = 0;
  }

  /** The converted block. Its memory is used again by the next call. */
  process(block: Float32Array): Float32Array {
    if (this.#taps === 0) return block;
    const taps = this.#taps;
    if (this.#input.length < taps + block.length) {
      const longer = new Float32Array(taps + block.length);
      longer.set(this.#input.subarray(0, taps));
      this.#input = longer;
    }
    this.#input.set(block, taps);
    const most = Math.ceil((block.length * this.#phases) / this.#step) + 1;
    if (this.#output.length < most) this.#output = new Float32Array(most);
    let count = 0;
    for (; this.#whole < block.length; count += 1) {
      this.#output[count] = this.#at(this.#whole, this.#phase);
      this.#phase += this.#step;
      this.#whole += Math.floor(this.#phase / this.#phases);
      this.#phase %= this.#phases;
    }
    this.#whole -= block.length;
    this.#input.copyWithin(0, block.length, block.length + taps);
    return this.#output.subarray(0, count);
  }

  #at(whole: number, phase: number): number {
    const filter = this.#filters[phase]!;
    const last = whole + this.#taps;
    let sum = 0;
    for (let tap = 0; tap < this.#taps; tap += 1) sum += filter[tap]! * this.#input[last - tap]!;
    return sum;
  }
}
