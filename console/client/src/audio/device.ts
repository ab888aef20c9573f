// The browser's microphone and loudspeaker.
import { type Clock, systemClock } from "../clock.ts";
import type { Sound } from "../line.ts";
import { microphoneProblem, NexusError } from "../problem.ts";
import {
  CAPTURE,
  type Captured,
  PLAYBACK,
  type PlaybackCommand,
  type PlaybackReport,
  type WorkletOptions,
} from "./worklets/messages.ts";

/** Where the two worklet files are; they are files of their own, so that no policy must allow inline code. */
export interface WorkletUrls {
  capture: string;
  playback: string;
}

/** How the microphone is opened. */
export interface MicrophoneOptions {
  /** Which one; the browser's default without. */
  deviceId?: string;
  /** Take echo and noise out and level the voice (default). Off for headphones or music. */
  clean?: boolean;
}

/** What a device tells. */
export interface DeviceHandlers {
  frame(frame: ArrayBuffer): void;
  /** All audio before the mark has been heard. */
  marked(name: string): void;
  /** Root mean squares, 0 to 1. */
  callerLevel(level: number): void;
  agentLevel(level: number): void;
  /** The microphone was unplugged. */
  microphoneLost(): void;
}

/** An open microphone and loudspeaker. */
export class Device implements Sound {
  readonly #context: AudioContext;
  readonly #stream: MediaStream;
  readonly #playback: AudioWorkletNode;
  readonly #clock: Clock;

  private constructor(context: AudioContext, stream: MediaStream, playback: AudioWorkletNode, clock: Clock) {
    this.#context = context;
    this.#stream = stream;
    this.#playback = playback;
    this.#clock = clock;
  }

  /** Asks for the microphone. Call it from a click: browsers keep silent pages silent. */
  static async open(
    lineRate: number,
    worklets: WorkletUrls,
    microphone: MicrophoneOptions,
    handlers: DeviceHandlers,
    clock: Clock = systemClock,
  ): Promise<Device> {
    if (!navigator.mediaDevices?.getUserMedia || typeof AudioWorkletNode === "undefined") {
      throw new NexusError({ kind: "unsupported" });
    }
    let context: AudioContext | undefined;
    let stream: MediaStream | undefined;
    try {
      context = new AudioContext({ latencyHint: "interactive" });
      stream = await askForMicrophone(microphone);
      await load(context, worklets);
      await context.resume();
      const processorOptions: WorkletOptions = { lineRate };
      const capture = new AudioWorkletNode(context, CAPTURE, { numberOfOutputs: 0, processorOptions });
      const playback = new AudioWorkletNode(context, PLAYBACK, {
        numberOfInputs: 0,
        outputChannelCount: [1],
        processorOptions,
      });
      context.createMediaStreamSource(stream).connect(capture);
      playback.connect(context.destination);
      const device = new Device(context, stream, playback, clock);
      device.#listen(capture, handlers);
      return device;
    } catch (error) {
      stream?.getTracks().forEach((track) => track.stop());
      void context?.close();
      throw error instanceof NexusError ? error : new NexusError({ kind: "unsupported" }, error);
    }
  }

  #listen(capture: AudioWorkletNode, handlers: DeviceHandlers): void {
    capture.port.onmessage = ({ data }: MessageEvent<Captured>) => {
      handlers.frame(data.frame);
      handlers.callerLevel(data.level);
    };
    this.#playback.port.onmessage = ({ data }: MessageEvent<PlaybackReport>) => {
      if ("level" in data) return handlers.agentLevel(data.level);
      // The block has been handed to the system; it is heard when that has passed it on.
      const late = (this.#context.outputLatency || this.#context.baseLatency || 0) * 1000;
      this.#clock.after(late, () => handlers.marked(data.mark));
    };
    for (const track of this.#stream.getAudioTracks()) track.onended = () => handlers.microphoneLost();
  }

  #tell(command: PlaybackCommand, transfer: Transferable[] = []): void {
    this.#playback.port.postMessage(command, transfer);
  }

  play(audio: ArrayBuffer): void {
    this.#tell({ do: "play", audio }, [audio]);
  }

  mark(name: string): void {
    this.#tell({ do: "mark", name });
  }

  clear(): void {
    this.#tell({ do: "clear" });
  }

  duck(gain: number): void {
    this.#tell({ do: "duck", gain });
  }

  /** A muted microphone goes on in silence: the frames are the call's clock. */
  mute(on: boolean): void {
    for (const track of this.#stream.getAudioTracks()) track.enabled = !on;
  }

  /** Lets go of the microphone and the loudspeaker. */
  close(): void {
    for (const track of this.#stream.getTracks()) {
      track.onended = null;
      track.stop();
    }
    if (this.#context.state !== "closed") void this.#context.close();
  }
}

/** The browser has worklets, so what fails here is the way to the files. */
async function load({ audioWorklet }: AudioContext, { capture, playback }: WorkletUrls): Promise<void> {
  try {
    await Promise.all([audioWorklet.addModule(capture), audioWorklet.addModule(playback)]);
  } catch (error) {
    throw new NexusError({ kind: "server_away" }, error);
  }
}

async function askForMicrophone({ deviceId, clean = true }: MicrophoneOptions): Promise<MediaStream> {
  const audio: MediaTrackConstraints = {
    channelCount: 1,
    echoCancellation: clean,
    noiseSuppression: clean,
    autoGainControl: clean,
  };
  if (deviceId) audio.deviceId = { exact: deviceId };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw new NexusError(microphoneProblem(error), error);
  }
}
