// What the page says, where it depends on something.
import type { AgentState, Connection, EndReason } from "../../client/src/index.ts";

const REASONS: Record<EndReason | "closed", string> = {
  caller_hangup: "You hung up.",
  agent_hangup: "The agent ended the call.",
  api: "The call was ended from outside.",
  idle: "The call ended because nobody spoke.",
  max_duration: "The call reached its longest duration.",
  transferred: "The call was passed on.",
  no_answer: "Nobody answered.",
  busy: "The line was busy.",
  voicemail: "A mailbox answered.",
  spend_cap: "The call reached its spending limit.",
  provider_failure: "A speech or language service failed.",
  server_lost: "The connection to the server was lost.",
  error: "The call ended because of a problem.",
  closed: "The call is over.",
};

/** Why a call ended. */
export function whyEnded(reason: EndReason | "closed"): string {
  return REASONS[reason] ?? REASONS.closed;
}

/** What is going on in a call. */
export function whatHappens(connection: Connection, agent: AgentState | undefined, muted: boolean): string {
  switch (connection) {
    case "connecting":
      return "Connecting …";
    case "reconnecting":
      return "The connection was lost. Looking for your call …";
    case "ended":
      return "The call is over.";
    case "open":
      if (agent === "speaking") return "The agent speaks. You can interrupt it.";
      if (agent === "thinking") return "The agent thinks …";
      return muted ? "Your microphone is off." : "The agent listens. Speak now.";
  }
}
