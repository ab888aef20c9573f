// The part of AudioWorkletGlobalScope that is used; TypeScript's own libraries leave it out.
declare abstract class AudioWorkletProcessor {
  readonly port: MessagePort;
  constructor(options?: { processorOptions?: unknown });
}
declare function registerProcessor(
  name: string,
  processor: new (options: { processorOptions: never }) => AudioWorkletProcessor,
): void;
/** Samples a second of the context. */
declare const sampleRate: number;
