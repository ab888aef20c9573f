// What can go wrong, as a closed list, and in plain words for a person.

/** What went wrong. */
export type Problem =
  /** This browser cannot record or play as a call needs it (or the page is not on https). */
  | { kind: "unsupported" }
  /** There is no microphone. */
  | { kind: "no_microphone" }
  /** The person, or the browser's settings, refused the microphone. */
  | { kind: "microphone_refused" }
  /** Another program holds the microphone, or it failed. */
  | { kind: "microphone_busy" }
  /** The microphone was unplugged during the call. */
  | { kind: "microphone_lost" }
  /** Address or password are wrong. */
  | { kind: "wrong_password" }
  /** The login has ended. */
  | { kind: "signed_out" }
  /** The account lives in another cell; `address` is that cell's API. */
  | { kind: "other_cell"; address: string }
  /** Nothing answers, or only a gateway does. */
  | { kind: "server_away" }
  /** No voice server has room. */
  | { kind: "server_full" }
  /** The call was opened elsewhere. */
  | { kind: "taken_over" }
  /** Too many requests; try again in `seconds`. */
  | { kind: "too_many"; seconds: number }
  /** The API refused a request. */
  | { kind: "refused"; status: number; code: string; detail: string; requestId: string }
  /** The voice server says that something failed; the call may go on. */
  | { kind: "server"; code: string; detail: string }
  /** Client and server do not understand each other. */
  | { kind: "protocol"; detail: string };

/** A problem that ends what was asked for. */
export class NexusError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem, cause?: unknown) {
    super(explain(problem), cause === undefined ? undefined : { cause });
    this.name = "NexusError";
    this.problem = problem;
  }
}

/** The problem of anything that was thrown. */
export function problemOf(thrown: unknown): Problem {
  if (thrown instanceof NexusError) return thrown.problem;
  return { kind: "protocol", detail: thrown instanceof Error ? thrown.message : String(thrown) };
}

/** What getUserMedia's refusal means. */
export function microphoneProblem(thrown: unknown): Problem {
  const name = thrown instanceof Error || thrown instanceof DOMException ? thrown.name : "";
  switch (name) {
    case "NotFoundError":
    case "OverconstrainedError":
      return { kind: "no_microphone" };
    case "NotAllowedError":
    case "SecurityError":
      return { kind: "microphone_refused" };
    default:
      return { kind: "microphone_busy" };
  }
}

/** A problem in plain words, with what to do about it. */
export function explain(problem: Problem): string {
  switch (problem.kind) {
    case "unsupported":
      return "This browser cannot make calls here. Use a current browser, and open this page over https.";
    case "no_microphone":
      return "No microphone was found. Plug one in, then try again.";
    case "microphone_refused":
      return "The microphone is blocked. Allow it for this page in the browser's address bar, then try again.";
    case "microphone_busy":
      return "The microphone could not be used. Another program may hold it; close that, then try again.";
    case "microphone_lost":
      return "The microphone is gone. The agent cannot hear you any more, but you can type.";
    case "wrong_password":
      return "The e-mail address or the password is wrong.";
    case "signed_out":
      return "Your login has ended. Please log in again.";
    case "other_cell":
      return `Your organisation's data lives in another region. Open ${problem.address} instead.`;
    case "server_away":
      return "The server does not answer. Check your connection, then try again.";
    case "server_full":
      return "All lines are busy at the moment. Try again in a minute.";
    case "taken_over":
      return "This call goes on in another window.";
    case "too_many":
      return `That was too often. Try again in ${problem.seconds} seconds.`;
    case "refused":
      return `The server refused this: ${problem.detail}. (Request ${problem.requestId || "without a number"})`;
    case "server":
      return `The server reports a problem: ${problem.detail}.`;
    case "protocol":
      return `This page and the server do not understand each other (${problem.detail}). Reload the page.`;
  }
}
