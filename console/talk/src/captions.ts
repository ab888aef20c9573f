// What was said by whom, made of the messages of a call. No page in it, so that it can be tested alone.
import type { ServerMessage } from "../../client/src/protocol.ts";

/** One line of the captions, the same object for all that becomes of it. */
export interface Caption {
  who: "caller" | "agent";
  /** What was said and, of the agent, heard. */
  text: string;
  /** What the agent was going to say and nobody heard. */
  lost: string;
  /** It may still change. */
  open: boolean;
  /** It ended without word of how much was said or heard. */
  broken: boolean;
}

/** The captions of a call. */
export class Captions {
  /** The line of each turn and speaker, until it is final. */
  readonly #open = new Map<string, Caption>();

  /** Takes a message in; the line that it changed. */
  take(message: ServerMessage): Caption | undefined {
    switch (message.type) {
      case "user_text": {
        if (message.text === "" && !this.#open.has(`caller ${message.turn}`)) return undefined;
        const line = this.#line("caller", message.turn);
        line.text = message.text;
        return message.final ? this.#close(line, message.turn) : line;
      }
      case "agent_text": {
        const line = this.#line("agent", message.turn);
        line.text = message.text;
        return line;
      }
      case "turn": {
        const line = this.#open.get(`agent ${message.turn}`);
        if (!line) return undefined;
        [line.text, line.lost] = message.cut ? split(line.text, message.heard) : [line.text, ""];
        return this.#close(line, message.turn);
      }
      default:
        return undefined;
    }
  }

  /** Nothing more comes of what is open: the connection was lost or the call is over. The lines that end so. */
  settle(): Caption[] {
    const lines = [...this.#open.values()];
    this.#open.clear();
    for (const line of lines) Object.assign(line, { open: false, broken: true } satisfies Partial<Caption>);
    return lines;
  }

  #line(who: Caption["who"], turn: number): Caption {
    const found = this.#open.get(`${who} ${turn}`);
    if (found) return found;
    const line: Caption = { who, text: "", lost: "", open: true, broken: false };
    this.#open.set(`${who} ${turn}`, line);
    return line;
  }

  #close(line: Caption, turn: number): Caption {
    line.open = false;
    this.#open.delete(`${line.who} ${turn}`);
    return line;
  }
}

/** A reply as the part that was heard and the part that was not. */
function split(text: string, heard: string): [string, string] {
  return text.startsWith(heard) ? [heard, text.slice(heard.length)] : [heard, text];
}
