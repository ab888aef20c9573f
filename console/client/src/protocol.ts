// The browser voice protocol `nexus.v1`: JSON text frames beside binary audio frames.

/** The subprotocol that both sides name. */
export const PROTOCOL = "nexus.v1";
/** What the ticket's entry in the subprotocol list begins with. */
export const TICKET_PREFIX = "ticket.";
/** Length of one microphone frame, in ms. */
export const FRAME_MS = 20;
/** Longest typed turn, in characters. */
export const TYPED_CHARS_MAX = 4000;
/** Most keys in one message. */
export const DIGITS_MAX = 32;

/** The audio of a line, both ways: PCM, signed 16 bit, little-endian, mono. */
export interface AudioFormat {
  encoding: "pcm16";
  /** Samples a second. */
  sample_rate: 8000 | 16000 | 24000 | 48000;
}

/** What the server takes unless told otherwise. */
export const BROWSER_AUDIO: AudioFormat = { encoding: "pcm16", sample_rate: 16000 };

/** What a client says in a text frame. */
export type ClientMessage =
  | { type: "start"; audio: AudioFormat }
  | { type: "mark"; name: string }
  | { type: "text"; text: string }
  | { type: "dtmf"; digits: string }
  | { type: "mute"; on: boolean }
  | { type: "end" };

/** What the agent is doing. */
export type AgentState = "listening" | "thinking" | "speaking";

/** Why a call ended. */
export type EndReason =
  | "caller_hangup"
  | "agent_hangup"
  | "api"
  | "idle"
  | "max_duration"
  | "transferred"
  | "no_answer"
  | "busy"
  | "voicemail"
  | "spend_cap"
  | "provider_failure"
  | "server_lost"
  | "error";

/** When the stages of an answer came, in ms from the caller's end of speech, each cumulative. */
export interface TurnLatency {
  endpoint?: number;
  transcript?: number;
  first_token?: number;
  first_clause?: number;
  first_audio?: number;
  sent?: number;
  heard?: number;
}

/** The stages in the order in which they come. */
export const STAGES = [
  "endpoint",
  "transcript",
  "first_token",
  "first_clause",
  "first_audio",
  "sent",
  "heard",
] as const satisfies readonly (keyof TurnLatency)[];

/** What the server says in a text frame. */
export type ServerMessage =
  | { type: "ready"; call_id: string; audio: { encoding: string; sample_rate: number } }
  /** All of the caller's turn so far. */
  | { type: "user_text"; turn: number; text: string; final: boolean }
  /** All of the reply to `turn` so far; turn 0 is the greeting. */
  | { type: "agent_text"; turn: number; text: string; final: boolean }
  /** Answer with `mark` when the audio before this has been played. */
  | { type: "audio_mark"; name: string }
  /** Drop what is not yet played. */
  | { type: "clear" }
  /** Lower (0 to 1) what is playing. */
  | { type: "duck"; gain: number }
  /** A reply is over, and what of it was heard. */
  | { type: "turn"; turn: number; heard: string; cut: boolean; latency_ms: TurnLatency }
  | { type: "state"; state: AgentState }
  | { type: "error"; code: string; detail: string }
  | { type: "ended"; reason: EndReason };

/** Close codes. */
export const CLOSE = {
  ended: 1000,
  tooSlow: 1008,
  restarting: 1012,
  protocol: 4400,
  ticket: 4401,
  noStart: 4408,
  takenOver: 4409,
  full: 4429,
} as const;

type Shape = Record<string, "string" | "number" | "boolean" | "object">;

const SHAPES: { [T in ServerMessage["type"]]: Shape } = {
  ready: { call_id: "string", audio: "object" },
  user_text: { turn: "number", text: "string", final: "boolean" },
  agent_text: { turn: "number", text: "string", final: "boolean" },
  audio_mark: { name: "string" },
  clear: {},
  duck: { gain: "number" },
  turn: { turn: "number", heard: "string", cut: "boolean", latency_ms: "object" },
  state: { state: "string" },
  error: { code: "string", detail: "string" },
  ended: { reason: "string" },
};

/**
 * Reads a text frame. `undefined` for what is no message of this protocol: a newer server may say
 * more than this client knows, and that must not end a call.
 */
export function decode(text: string): ServerMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const message = value as Record<string, unknown>;
  const type = message["type"];
  if (typeof type !== "string" || !Object.hasOwn(SHAPES, type)) return undefined;
  const shape = SHAPES[type as ServerMessage["type"]];
  for (const [name, kind] of Object.entries(shape)) {
    if (typeof message[name] !== kind || message[name] === null) return undefined;
  }
  return message as unknown as ServerMessage;
}
