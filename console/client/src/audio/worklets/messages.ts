// What pages and worklets say to each other.

/** Names of the processors. */
export const CAPTURE = "nexus-capture";
export const PLAYBACK = "nexus-playback";

/** Both processors are told the line's rate. */
export interface WorkletOptions {
  lineRate: number;
}

/** A frame of the microphone. */
export interface Captured {
  frame: ArrayBuffer;
  /** Root mean square, 0 to 1. */
  level: number;
}

/** What the loudspeaker is told. */
export type PlaybackCommand =
  | { do: "play"; audio: ArrayBuffer }
  | { do: "mark"; name: string }
  | { do: "clear" }
  | { do: "duck"; gain: number };

/** What the loudspeaker tells. */
export type PlaybackReport = { mark: string } | { level: number };
