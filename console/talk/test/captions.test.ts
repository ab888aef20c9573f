import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerMessage } from "../../client/src/index.ts";
import { Captions } from "../src/captions.ts";

function captions(...messages: ServerMessage[]): string[] {
  const made = new Captions();
  for (const message of messages) made.take(message);
  return made.lines.map(({ who, text, lost, open }) => `${who}: ${text}${lost && `[${lost}]`}${open ? " …" : ""}`);
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
