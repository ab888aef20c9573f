// A call from a browser: the line, the microphone and the loudspeaker together.
import { voiceAddress } from "./addresses.ts";
import type { Api, CallView, Voice } from "./api.ts";
import { Device, type MicrophoneOptions, type WorkletUrls } from "./audio/device.ts";
import { type Clock, systemClock } from "./clock.ts";
import { Emitter } from "./emitter.ts";
import { type Connection, Line, type LineEvents, type Opening } from "./line.ts";
import { BROWSER_AUDIO, DIGITS_MAX, TYPED_CHARS_MAX } from "./protocol.ts";

export type { MicrophoneOptions, WorkletUrls } from "./audio/device.ts";

/** How to call. */
export interface CallOptions {
  api: Api;
  agentId: string;
  /** Where this package's `capture.ts` and `playback.ts` were built to. */
  worklets: WorkletUrls;
  microphone?: MicrophoneOptions;
}

/** What a call tells. */
export interface CallEvents extends LineEvents {
  /** How loud the caller is, root mean square from 0 to 1, every 20 ms. */
  callerLevel: number;
  /** How loud the agent is, about every 40 ms. */
  agentLevel: number;
  muted: boolean;
}

/** A call in progress. */
export class Call extends Emitter<CallEvents> {
  readonly id: string;
  readonly #api: Api;
  readonly #line: Line;
  readonly #device: Device;
  #muted = false;

  private constructor(api: Api, id: string, line: Line, device: Device) {
    super();
    this.id = id;
    this.#api = api;
    this.#line = line;
    this.#device = device;
    line.on("connection", (connection) => this.emit("connection", connection));
    line.on("message", (message) => this.emit("message", message));
    line.on("problem", (problem) => this.emit("problem", problem));
    line.on("ended", (ended) => {
      device.close();
      this.emit("ended", ended);
    });
  }

  /**
   * Asks for the microphone, creates the call and begins to connect; listen, then call `start`. The
   * microphone comes first: a call that nobody can speak in is not created.
   */
  static async open({ api, agentId, worklets, microphone = {} }: CallOptions): Promise<Call> {
    let call: Call | undefined;
    const device = await Device.open(BROWSER_AUDIO.sample_rate, worklets, microphone, {
      frame: (frame) => call && call.#line.sendAudio(frame),
      marked: (name) => call && call.#line.markPlayed(name),
      callerLevel: (level) => call?.emit("callerLevel", level),
      agentLevel: (level) => call?.emit("agentLevel", level),
      microphoneLost: () => call?.emit("problem", { kind: "microphone_lost" }),
    });
    try {
      const created = await api.createCall(agentId);
      call = new Call(api, created.call.id, lineOf(api, created, device), device);
      return call;
    } catch (error) {
      device.close();
      throw error;
    }
  }

  /** Connects. */
  start(): void {
    this.#line.open();
  }

  /** Whether the call is connected. */
  get connection(): Connection {
    return this.#line.connection;
  }

  /** Whether the microphone is off. */
  get muted(): boolean {
    return this.#muted;
  }

  /** Turns the microphone off or on. */
  mute(on: boolean): void {
    this.#muted = on;
    this.#device.mute(on);
    this.#line.mute(on);
    this.emit("muted", on);
  }

  /** Says something without a voice. False: there is no connection at the moment. */
  sendText(text: string): boolean {
    const turn = text.trim();
    if (turn === "" || [...turn].length > TYPED_CHARS_MAX) {
      throw new RangeError(`a typed turn has 1 to ${TYPED_CHARS_MAX} characters`);
    }
    return this.#line.sendText(turn);
  }

  /** Presses keys (`0`-`9`, `*`, `#`, `A`-`D`). False: there is no connection at the moment. */
  sendDigits(digits: string): boolean {
    if (!/^[0-9*#A-D]+$/.test(digits) || digits.length > DIGITS_MAX) {
      throw new RangeError(`keys are 0-9, *, #, A-D, at most ${DIGITS_MAX}`);
    }
    return this.#line.sendDigits(digits);
  }

  /** Ends the call. */
  hangUp(): void {
    // Without a connection the API ends it; if that fails too, the server does, soon.
    if (!this.#line.end()) void this.#api.endCall(this.id).catch(() => {});
  }
}

function lineOf(api: Api, { call, voice }: { call: CallView; voice: Voice }, device: Device): Line {
  const opening = ({ url, ticket }: Voice): Opening => ({ url: voiceAddress(url, api.addresses), ticket });
  return new Line({
    opening: opening(voice),
    resume: async () => {
      const again = await api.resumeCall(call.id);
      return again && opening(again);
    },
    sound: device,
    audio: BROWSER_AUDIO,
  });
}

/** How long to wait for all of a call's recording, in ms, and from one look to the next. */
const RECORDING_MS = 15_000;
const LOOK_MS = 500;

/** What there is of a call's recording. */
export interface CallRecording {
  /** A WAV, caller left, agent right. */
  audio: Blob;
  /** Whether all of it has arrived. That of a call that moved to another server is complete minutes later. */
  complete: boolean;
}

/** The recording of a call that has ended; `undefined`: there is none. */
export async function recordingOf(api: Api, id: string, clock: Clock = systemClock): Promise<CallRecording | undefined> {
  const until = clock.now() + RECORDING_MS;
  for (;;) {
    const { recording, cost_usd } = await api.call(id);
    // The cost is known when nothing more will come.
    const over = cost_usd !== null || clock.now() > until;
    if (recording?.complete || (recording && over)) {
      return { audio: await api.recording(id), complete: recording.complete };
    }
    if (over) return undefined;
    await new Promise<void>((resolve) => clock.after(LOOK_MS, resolve));
  }
}
