import assert from "node:assert/strict";
import { test } from "node:test";
import { Api } from "../src/api.ts";
import { recordingOf } from "../src/call.ts";
import { settle, VirtualClock } from "./virtual.ts";

/** An API whose call looks, from one question to the next, as the list says; the last stays. */
async function api(...looks: { recording: { complete: boolean } | null; cost_usd: number | null }[]): Promise<Api> {
  let at = 0;
  const made = new Api({
    now: () => 0,
    fetch: async (input) => {
      const path = String(input);
      if (path.includes("/auth/")) return Response.json({ access_token: "a", refresh_token: "r", expires_in: 900 });
      if (path.endsWith("/recording")) return new Response("RIFF");
      const look = looks[Math.min(at, looks.length - 1)];
      at += 1;
      return Response.json(look);
    },
  });
  await made.logIn("a@b.c", "secret");
  return made;
}

/** What becomes of it within `seconds`: complete, incomplete, none, or still waiting. */
async function found(made: Api, seconds: number): Promise<string> {
  const clock = new VirtualClock();
  let outcome = "waiting";
  void recordingOf(made, "call_1", clock).then((recording) => {
    outcome = recording ? (recording.complete ? "complete" : "incomplete") : "none";
  });
  for (let half = 0; half < 2 * seconds; half += 1) {
    // Answers take turns of the event loop, not only of promises.
    for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
    await settle();
    await clock.pass(500);
  }
  return outcome;
}

const nothing = { recording: null, cost_usd: null };
const part = { recording: { complete: false }, cost_usd: null };

test("a recording is waited for until it is complete", async () => {
  assert.equal(await found(await api(nothing, part, part, { recording: { complete: true }, cost_usd: 0 }), 5), "complete");
});

test("a call without one says so as soon as it is sealed", async () => {
  assert.equal(await found(await api(nothing, { recording: null, cost_usd: 0 }), 3), "none");
});

test("what is not complete after 15 s is given as it is", async () => {
  assert.equal(await found(await api(part), 10), "waiting");
  assert.equal(await found(await api(part), 20), "incomplete");
  assert.equal(await found(await api(nothing), 20), "none");
});
