import assert from "node:assert/strict";
import { test } from "node:test";
import { explain, microphoneProblem, type Problem } from "../src/problem.ts";

/** One of each kind, and what of its words a person must read. */
const EACH: { [Kind in Problem["kind"]]: [Extract<Problem, { kind: Kind }>, RegExp] } = {
  unsupported: [{ kind: "unsupported" }, /browser cannot make calls here\. Use a current browser/],
  no_microphone: [{ kind: "no_microphone" }, /No microphone was found\. Plug one in/],
  microphone_refused: [{ kind: "microphone_refused" }, /microphone is blocked\. Allow it/],
  microphone_busy: [{ kind: "microphone_busy" }, /microphone could not be used\. Another program/],
  microphone_lost: [{ kind: "microphone_lost" }, /microphone is gone.* you can type/],
  wrong_password: [{ kind: "wrong_password" }, /address or the password is wrong/],
  signed_out: [{ kind: "signed_out" }, /login has ended\. Please log in again/],
  other_cell: [{ kind: "other_cell", address: "https://eu.example" }, /another region\. Open https:\/\/eu\.example/],
  server_away: [{ kind: "server_away" }, /server does not answer\. Check your connection/],
  server_full: [{ kind: "server_full" }, /All lines are busy.* Try again/],
  taken_over: [{ kind: "taken_over" }, /goes on in another window/],
  too_many: [{ kind: "too_many", seconds: 7 }, /too often\. Try again in 7 seconds/],
  refused: [
    { kind: "refused", status: 422, code: "invalid", detail: "The name is missing", requestId: "req_1" },
    /refused this: The name is missing\. \(Request req_1\)/,
  ],
  server: [{ kind: "server", code: "stt", detail: "the recogniser was lost" }, /reports a problem: the recogniser was lost\./],
  protocol: [{ kind: "protocol", detail: "no ticket" }, /do not understand each other \(no ticket\)\. Reload/],
};

test("every problem is said in plain words, with what to do", () => {
  for (const [problem, words] of Object.values(EACH)) assert.match(explain(problem), words);
  assert.match(explain({ ...EACH.refused[0], requestId: "" }), /Request without a number/);
});

test("what the browser says of the microphone is one of the known problems", () => {
  const named = (name: string) => microphoneProblem(new DOMException("", name)).kind;
  assert.equal(named("NotFoundError"), "no_microphone");
  assert.equal(named("OverconstrainedError"), "no_microphone");
  assert.equal(named("NotAllowedError"), "microphone_refused");
  assert.equal(named("SecurityError"), "microphone_refused");
  assert.equal(named("NotReadableError"), "microphone_busy");
  assert.equal(microphoneProblem("?").kind, "microphone_busy");
});
