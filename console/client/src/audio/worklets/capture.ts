// Runs in the audio thread: the microphone, cut into the line's frames.
import { Framer } from "../framer.ts";
import { CAPTURE, type Captured, type WorkletOptions } from "./messages.ts";

class Capture extends AudioWorkletProcessor {
  readonly #framer: Framer;
  #mixed = new Float32Array(128);

  constructor(options: { processorOptions: WorkletOptions }) {
    super(options);
    this.#framer = new Framer(sampleRate, options.processorOptions.lineRate, (frame, level) => {
      this.port.postMessage({ frame, level } satisfies Captured, [frame]);
    });
  }

  process(inputs: Float32Array[][]): boolean {
    const channels = inputs[0] ?? [];
    const first = channels[0];
    if (first) this.#framer.push(channels.length === 1 ? first : this.#mix(channels, first.length));
    return true;
  }

  #mix(channels: Float32Array[], length: number): Float32Array {
    if (this.#mixed.length !== length) this.#mixed = new Float32Array(length);
    this.#mixed.fill(0);
    for (const channel of channels) {
      for (let at = 0; at < length; at += 1) this.#mixed[at]! += channel[at]! / channels.length;
    }
    return this.#mixed;
  }
}

registerProcessor(CAPTURE, Capture);
