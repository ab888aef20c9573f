import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerMessage } from "../../client/src/index.ts";
import { type Caption, Captions } from "../src/captions.ts";

function captions(...messages: ServerMessage[]): string[] {
  return said(new Captions(), messages);
}

/** The lines that the messages make or change, by their first appearance. */
function said(made: Captions, messages: ServerMessage[]): string[] {
  const lines = new Set(messages.map((message) => made.take(message)).filter((line) => line !== undefined));
  return [...lines].map(shown);
}

function shown({ who, text, lost, open, broken }: Caption): string {
  return `${who}: ${text}${lost && `[${lost}]`}${open ? " …" : ""}${broken ? " (broken off)" : ""}`;
}

const user = (turn: number, text: string, final: boolean): ServerMessage => ({ type: "user_text", turn, text, final });
const agent = (turn: number, text: string): ServerMessage => ({ type: "agent_text", turn, text, final: true });
const turn = (number: number, heard: string, cut: boolean): ServerMessage => ({
  type: "turn",
  turn: number,
  heard,
  cut,
  latency_ms: {},
});

test("a line grows until it is final, and speakers take turns", () => {
  assert.deepEqual(
    captions(agent(0, "Hello."), turn(0, "Hello.", false), user(1, "what", false), user(1, "What can you do?", true), agent(1, "I")),
    ["agent: Hello.", "caller: What can you do?", "agent: I …"],
  );
});

test("what was cut is kept apart from what was heard", () => {
  assert.deepEqual(captions(agent(1, "One two three."), turn(1, "One two", true)), ["agent: One two[ three.]"]);
  assert.deepEqual(captions(agent(1, "One two."), turn(1, "", true)), ["agent: [One two.]"]);
  assert.deepEqual(captions(agent(1, "One two."), turn(1, "other words", true)), ["agent: other words[One two.]"]);
});

test("a reply that was heard whole loses nothing, whatever its white space", () => {
  assert.deepEqual(captions(agent(1, "One two. "), turn(1, "One two.", false)), ["agent: One two. "]);
});

test("a turn that goes on after its end is a line of its own", () => {
  assert.deepEqual(captions(user(1, "yes", true), user(1, "yes please", false)), ["caller: yes", "caller: yes please …"]);
  assert.deepEqual(captions(user(1, "", false), turn(4, "x", false)), []);
});

test("a connection that is lost or a call that ends breaks off what is open", () => {
  const made = new Captions();
  said(made, [agent(0, "Hello."), turn(0, "Hello.", false), user(1, "and wh", false), agent(1, "One two.")]);
  assert.deepEqual(made.settle().map(shown), ["caller: and wh (broken off)", "agent: One two. (broken off)"]);
  assert.deepEqual(made.settle(), [], "once");
  assert.deepEqual(said(made, [turn(1, "One", true)]), [], "it is final");
  assert.deepEqual(said(made, [agent(1, "Again.")]), ["agent: Again. …"], "a line of its own");
});
