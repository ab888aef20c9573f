import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "../src/protocol.ts";

test("every message of the protocol is read", () => {
  const messages = [
    { type: "ready", call_id: "call_1", audio: { encoding: "pcm16", sample_rate: 16000 } },
    { type: "user_text", turn: 1, text: "hi", final: true },
    { type: "agent_text", turn: 0, text: "", final: false },
    { type: "audio_mark", name: "7" },
    { type: "clear" },
    { type: "duck", gain: 0.3 },
    { type: "turn", turn: 1, heard: "Hello", cut: true, latency_ms: { endpoint: 300 } },
    { type: "state", state: "thinking" },
    { type: "error", code: "stt", detail: "gone" },
    { type: "ended", reason: "agent_hangup" },
  ];
  for (const message of messages) assert.deepEqual(decode(JSON.stringify(message)), message);
});

test("what is no message is left alone, and ends nothing", () => {
  const bad = [
    "",
    "{",
    "null",
    "[]",
    '"ready"',
    '{"type":"shout"}',
    '{"type":"toString"}',
    '{"type":"audio_mark"}',
    '{"type":"audio_mark","name":7}',
    '{"type":"turn","turn":1,"heard":"","cut":false,"latency_ms":null}',
    '{"type":"user_text","turn":"1","text":"","final":false}',
  ];
  for (const text of bad) assert.equal(decode(text), undefined, text);
});

test("members that are not known yet are no reason to refuse", () => {
  assert.equal(decode('{"type":"clear","later":1}')?.type, "clear");
});
