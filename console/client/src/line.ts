// One call's connection: the protocol over a WebSocket that may be lost and found again.
import { backoff } from "./backoff.ts";
import { type Clock, systemClock } from "./clock.ts";
import { Emitter } from "./emitter.ts";
import { type Problem, problemOf } from "./problem.ts";
import {
  type AudioFormat,
  BROWSER_AUDIO,
  type ClientMessage,
  CLOSE,
  decode,
  type EndReason,
  PROTOCOL,
  type ServerMessage,
  TICKET_PREFIX,
} from "./protocol.ts";

/** Longest wait for a fresh ticket, and for `ready` on one socket, in ms. */
const READY_MS = 10_000;
/** How long a lost connection is looked for, in ms. A server keeps a lost call for 15 s by default. */
const GIVE_UP_MS = 30_000;
/** Longest wait for the server's close after `end`, in ms. */
const END_MS = 5_000;
/** Microphone audio is dropped while more than this waits to be sent: 2 s that nobody should hear late. */
const QUEUED_BYTES_MAX = 64_000;

/** What of a WebSocket is used. */
export interface Socket {
  binaryType: string;
  readonly bufferedAmount: number;
  send(data: string | ArrayBuffer): void;
  close(code?: number): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
}

/** Where agent audio goes. `name` of a mark is given back when all audio before it has been heard. */
export interface Sound {
  play(audio: ArrayBuffer): void;
  mark(name: string): void;
  clear(): void;
  duck(gain: number): void;
}

/** Opens the call, at first or again. */
export interface Opening {
  url: string;
  ticket: string;
}

/** What a line is made of. */
export interface LineOptions {
  /** The first ticket. */
  opening: Opening;
  /** A fresh ticket; `undefined` when the call is over. */
  resume(): Promise<Opening | undefined>;
  sound: Sound;
  audio?: AudioFormat;
  openSocket?: (url: string, protocols: string[]) => Socket;
  clock?: Clock;
  /** In [0, 1). */
  random?: () => number;
}

/** Whether the call is connected. */
export type Connection = "connecting" | "open" | "reconnecting" | "ended";

/** What a line tells. */
export interface LineEvents {
  connection: Connection;
  message: ServerMessage;
  /** Something failed; after `connection: "ended"`, for good. */
  problem: Problem;
  /** The call is over. `closed`: nobody said why. */
  ended: { reason: EndReason | "closed" };
}

/** See the head of this file. */
export class Line extends Emitter<LineEvents> {
  readonly #options: LineOptions;
  readonly #clock: Clock;
  readonly #audio: AudioFormat;
  #connection: Connection = "connecting";
  #socket: Socket | undefined;
  /** Counts sockets: what an old one says, or its marks, means nothing to a new one. */
  #generation = 0;
  #attempt = 0;
  #lostAt: number | undefined;
  #cancelTimer: () => void = () => {};
  #muted = false;
  #ending = false;
  #lastClose = 0;

  constructor(options: LineOptions) {
    super();
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#audio = options.audio ?? BROWSER_AUDIO;
  }

  /** Whether the call is connected. */
  get connection(): Connection {
    return this.#connection;
  }

  /** Opens the call. What becomes of it comes as events. */
  open(): void {
    this.#lostAt = this.#clock.now();
    this.#connect(this.#options.opening);
  }

  /** Sends a microphone frame, or drops it: late audio is worse than none. */
  sendAudio(frame: ArrayBuffer): void {
    const socket = this.#socket;
    if (this.#connection !== "open" || !socket || socket.bufferedAmount > QUEUED_BYTES_MAX) return;
    socket.send(frame);
  }

  /** Sends a typed turn. False: there is no connection at the moment. */
  sendText(text: string): boolean {
    return this.#say({ type: "text", text });
  }

  /** Sends keys (`0`-`9`, `*`, `#`, `A`-`D`). False: there is no connection at the moment. */
  sendDigits(digits: string): boolean {
    return this.#say({ type: "dtmf", digits });
  }

  /** Tells the server that the microphone is off, now and after each reconnect. */
  mute(on: boolean): void {
    this.#muted = on;
    this.#say({ type: "mute", on });
  }

  /** All audio before the mark has been heard. */
  markPlayed(name: string): void {
    const [generation, mark] = name.split("/", 2);
    if (Number(generation) === this.#generation && mark !== undefined) this.#say({ type: "mark", name: mark });
  }

  /** Hangs up. False: there is no connection to say it on. */
  end(): boolean {
    if (this.#connection === "ended") return true;
    this.#ending = true;
    if (!this.#say({ type: "end" })) {
      this.#finish("closed");
      return false;
    }
    this.#timer(END_MS, () => this.#finish("caller_hangup"));
    return true;
  }

  #say(message: ClientMessage): boolean {
    if (this.#connection !== "open" || !this.#socket) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #timer(ms: number, then: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.after(ms, then);
  }

  #set(connection: Connection): void {
    if (this.#connection === connection) return;
    this.#connection = connection;
    this.emit("connection", connection);
  }

  #connect({ url, ticket }: Opening): void {
    const generation = ++this.#generation;
    const current = () => generation === this.#generation;
    const open = this.#options.openSocket ?? ((to, protocols) => new WebSocket(to, protocols) as Socket);
    let socket: Socket;
    try {
      socket = open(url, [PROTOCOL, TICKET_PREFIX + ticket]);
    } catch {
      this.#fail({ kind: "protocol", detail: "the voice server's address cannot be opened" });
      return;
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      if (current()) socket.send(JSON.stringify({ type: "start", audio: this.#audio } satisfies ClientMessage));
    };
    socket.onmessage = ({ data }) => {
      if (!current()) return;
      if (typeof data === "string") this.#text(data);
      else if (data instanceof ArrayBuffer) this.#options.sound.play(data);
    };
    socket.onclose = ({ code }) => {
      if (current()) this.#closed(code);
    };
    this.#timer(READY_MS, () => this.#lost());
  }

  #text(text: string): void {
    const message = decode(text);
    if (!message) return;
    const sound = this.#options.sound;
    switch (message.type) {
      case "ready":
        this.#ready();
        break;
      case "audio_mark":
        sound.mark(`${this.#generation}/${message.name}`);
        break;
      case "clear":
        sound.clear();
        break;
      case "duck":
        sound.duck(message.gain);
        break;
      case "error":
        this.emit("problem", { kind: "server", code: message.code, detail: message.detail });
        break;
      default:
    }
    this.emit("message", message);
    if (message.type === "ended") this.#finish(message.reason);
  }

  #ready(): void {
    this.#cancelTimer();
    this.#attempt = 0;
    this.#lostAt = undefined;
    this.#set("open");
    if (this.#muted) this.#say({ type: "mute", on: true });
  }

  #closed(code: number): void {
    this.#lastClose = code;
    if (this.#ending) return this.#finish("caller_hangup");
    if (code === CLOSE.ended) return this.#finish("closed");
    if (code === CLOSE.takenOver) return this.#fail({ kind: "taken_over" });
    if (code === CLOSE.protocol) {
      return this.#fail({ kind: "protocol", detail: "the voice server did not understand this client" });
    }
    this.#lost();
  }

  /** Looks for the call again, later. */
  #lost(): void {
    this.#drop();
    this.#lostAt ??= this.#clock.now();
    // What is queued belongs to a reply that the server has given up.
    this.#options.sound.clear();
    if (this.#clock.now() - this.#lostAt >= GIVE_UP_MS) return this.#fail(this.#whyAway());
    if (this.#connection === "open") this.#set("reconnecting");
    const wait = backoff(this.#attempt, (this.#options.random ?? Math.random)());
    this.#attempt += 1;
    this.#timer(wait, () => void this.#again());
  }

  async #again(): Promise<void> {
    // The API may never answer.
    this.#timer(READY_MS, () => this.#lost());
    const generation = this.#generation;
    try {
      const opening = await this.#options.resume();
      if (generation !== this.#generation || this.#connection === "ended") return;
      if (opening) this.#connect(opening);
      else this.#finish("closed");
    } catch (error) {
      if (generation !== this.#generation || this.#connection === "ended") return;
      const problem = problemOf(error);
      if (problem.kind === "server_away" || problem.kind === "too_many") this.#lost();
      else this.#fail(problem);
    }
  }

  #whyAway(): Problem {
    return { kind: this.#lastClose === CLOSE.full ? "server_full" : "server_away" };
  }

  #fail(problem: Problem): void {
    if (this.#connection === "ended") return;
    this.#close();
    this.emit("problem", problem);
    this.emit("ended", { reason: "error" });
  }

  #finish(reason: EndReason | "closed"): void {
    if (this.#connection === "ended") return;
    this.#close();
    this.emit("ended", { reason });
  }

  #close(): void {
    this.#drop();
    this.#options.sound.clear();
    this.#set("ended");
  }

  /** Lets go of the socket; nothing that it still says is heard. */
  #drop(): void {
    this.#cancelTimer();
    this.#generation += 1;
    this.#socket?.close();
    this.#socket = undefined;
  }
}

