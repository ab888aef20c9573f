// Runs in the audio thread: the loudspeaker's queue.
import { rms } from "../level.ts";
import { Playout } from "../playout.ts";
import { PLAYBACK, type PlaybackCommand, type PlaybackReport, type WorkletOptions } from "./messages.ts";

/** Blocks of 128 samples from one level to the next: about 40 ms. */
const LEVEL_BLOCKS = 15;

class Playback extends AudioWorkletProcessor {
  readonly #playout: Playout;
  #blocks = 0;
  #loudest = 0;

  constructor(options: { processorOptions: WorkletOptions }) {
    super(options);
    this.#playout = new Playout(options.processorOptions.lineRate, sampleRate);
    this.port.onmessage = ({ data }: MessageEvent<PlaybackCommand>) => this.#obey(data);
  }

  #obey(command: PlaybackCommand): void {
    switch (command.do) {
      case "play":
        return this.#playout.push(command.audio);
      case "mark":
        return this.#playout.mark(command.name);
      case "clear":
        return this.#playout.clear();
      case "duck":
        return this.#playout.duck(command.gain);
    }
  }

  #report(report: PlaybackReport): void {
    this.port.postMessage(report);
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const out = outputs[0]?.[0];
    if (!out) return true;
    for (const mark of this.#playout.render(out)) this.#report({ mark });
    this.#loudest = Math.max(this.#loudest, rms(out));
    this.#blocks += 1;
    if (this.#blocks === LEVEL_BLOCKS) {
      this.#report({ level: this.#loudest });
      this.#blocks = 0;
      this.#loudest = 0;
    }
    return true;
  }
}

registerProcessor(PLAYBACK, Playback);
