// Doubles for tests: time that moves when told, and sockets that a test plays the server of.
import type { Clock } from "../src/clock.ts";
import type { Opening, Socket, Sound } from "../src/line.ts";

export class VirtualClock implements Clock {
  #now = 0;
  #timers: { at: number; then: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, then: () => void): () => void {
    const timer = { at: this.#now + ms, then };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** When the next timer is due, from now. */
  next(): number | undefined {
    const due = this.#timers.map(({ at }) => at - this.#now);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  /** Lets time pass; what timers start is done before the next of them. */
  async pass(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#now = due.at;
      this.#timers = this.#timers.filter((other) => other !== due);
      due.then();
      await settle();
    }
    this.#now = until;
    await settle();
  }
}

/** Lets promises that are ready run on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

export class FakeSocket implements Socket {
  binaryType = "";
  bufferedAmount = 0;
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  readonly url: string;
  readonly protocols: string[];
  readonly sent: unknown[] = [];
  closed = false;

  constructor(url: string, protocols: string[]) {
    this.url = url;
    this.protocols = protocols;
  }

  send(data: string | ArrayBuffer): void {
    this.sent.push(typeof data === "string" ? JSON.parse(data) : data);
  }

  close(): void {
    this.closed = true;
  }

  /** The server accepts and says `ready`. */
  accept(): void {
    this.onopen?.({} as never);
    this.say({ type: "ready", call_id: "call_1", audio: { encoding: "pcm16", sample_rate: 16000 } });
  }

  say(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  lose(code: number): void {
    this.onclose?.({ code });
  }
}

/** The next ticket of a call. */
export function opening(ticket: string): Opening {
  return { url: "ws://voice/v1/voice", ticket };
}

export class FakeSound implements Sound {
  readonly heard: string[] = [];
  play(audio: ArrayBuffer): void {
    this.heard.push(`audio ${audio.byteLength}`);
  }
  mark(name: string): void {
    this.heard.push(`mark ${name}`);
  }
  clear(): void {
    this.heard.push("clear");
  }
  duck(gain: number): void {
    this.heard.push(`duck ${gain}`);
  }
}
