import assert from "node:assert/strict";
import { test } from "node:test";
import { Line, type Opening } from "../src/line.ts";
import { NexusError } from "../src/problem.ts";
import { FakeSocket, FakeSound, opening, settle, VirtualClock } from "./virtual.ts";

interface World {
  line: Line;
  clock: VirtualClock;
  sound: FakeSound;
  sockets: FakeSocket[];
  told: string[];
}

/** A line whose server is the test; `resume` answers tickets 2, 3, … unless told otherwise. */
function world(resume?: () => Promise<Opening | undefined>, random = () => 0.5): World {
  const clock = new VirtualClock();
  const sound = new FakeSound();
  const sockets: FakeSocket[] = [];
  const told: string[] = [];
  let tickets = 1;
  const line = new Line({
    opening: opening("1"),
    resume: resume ?? (async () => opening(String((tickets += 1)))),
    sound,
    openSocket: (url, protocols) => {
      const socket = new FakeSocket(url, protocols);
      sockets.push(socket);
      return socket;
    },
    clock,
    random,
  });
  line.on("connection", (connection) => told.push(connection));
  line.on("problem", (problem) => told.push(`problem ${problem.kind}`));
  line.on("ended", ({ reason }) => told.push(`ended ${reason}`));
  return { line, clock, sound, sockets, told };
}

/** A line that is connected. */
function connected(resume?: () => Promise<Opening | undefined>, random?: () => number): World & { socket: FakeSocket } {
  const made = world(resume, random);
  made.line.open();
  const socket = made.sockets[0]!;
  socket.accept();
  return { ...made, socket };
}

const START = { type: "start", audio: { encoding: "pcm16", sample_rate: 16000 } };

test("the ticket travels in the subprotocol list and start comes first", () => {
  const { socket, told } = connected();
  assert.deepEqual([socket.url, socket.protocols], ["ws://voice/v1/voice", ["nexus.v1", "ticket.1"]]);
  assert.equal(socket.binaryType, "arraybuffer");
  assert.deepEqual(socket.sent, [START]);
  assert.deepEqual(told, ["open"]);
});

test("audio, marks, clear and duck reach the loudspeaker in order; a played mark is answered by its name", () => {
  const { line, socket, sound } = connected();
  socket.onmessage?.({ data: new ArrayBuffer(640) });
  socket.say({ type: "audio_mark", name: "7" });
  socket.say({ type: "duck", gain: 0.4 });
  socket.say({ type: "clear" });
  assert.equal(sound.heard.length, 4);
  const mark = sound.heard[1]!.replace("mark ", "");
  assert.deepEqual(sound.heard, ["audio 640", `mark ${mark}`, "duck 0.4", "clear"]);
  line.markPlayed(mark);
  assert.deepEqual(socket.sent.at(-1), { type: "mark", name: "7" });
});

test("nothing is sent before ready, nor while the line is clogged", () => {
  const { line, sockets } = world();
  line.open();
  const socket = sockets[0]!;
  line.sendAudio(new ArrayBuffer(640));
  assert.equal(line.sendText("hello"), false);
  assert.deepEqual(socket.sent, []);
  socket.accept();
  socket.bufferedAmount = 100_000;
  line.sendAudio(new ArrayBuffer(640));
  assert.deepEqual(socket.sent, [START]);
  socket.bufferedAmount = 0;
  line.sendAudio(new ArrayBuffer(640));
  assert.equal(line.sendDigits("12#"), true);
  assert.deepEqual(socket.sent.slice(1), [new ArrayBuffer(640), { type: "dtmf", digits: "12#" }]);
});

test("a lost connection is resumed with a fresh ticket, muted as it was, and old marks mean nothing to it", async () => {
  const { line, clock, sockets, socket, sound, told } = connected();
  line.mute(true);
  socket.say({ type: "audio_mark", name: "3" });
  const mark = sound.heard[0]!.replace("mark ", "");
  socket.lose(1006);
  assert.deepEqual(told, ["open", "reconnecting"]);
  assert.equal(sound.heard.at(-1), "clear", "the reply that was under way is given up");
  await clock.pass(250);
  assert.deepEqual(sockets[1]!.protocols, ["nexus.v1", "ticket.2"]);
  sockets[1]!.accept();
  assert.deepEqual(told, ["open", "reconnecting", "open"]);
  line.markPlayed(mark);
  assert.deepEqual(sockets[1]!.sent, [START, { type: "mute", on: true }]);
  socket.say({ type: "ended", reason: "error" });
  assert.equal(line.connection, "open", "what the old socket says is not heard");
});

test("waits between tries grow, up to a limit, and half of each is chance", async () => {
  const waits = async (random: number) => {
    const { clock, socket, sockets } = connected(undefined, () => random);
    const found: number[] = [];
    socket.lose(1006);
    for (let tries = 0; tries < 6; tries += 1) {
      const wait = clock.next()!;
      found.push(wait);
      await clock.pass(wait);
      sockets.at(-1)!.lose(1006);
    }
    return found;
  };
  assert.deepEqual(await waits(0), [125, 250, 500, 1000, 2000, 2000]);
  assert.deepEqual(await waits(0.5), [187.5, 375, 750, 1500, 3000, 3000]);
});

test("a connection that held begins with short waits again", async () => {
  const { clock, socket, sockets } = connected();
  socket.lose(1006);
  await clock.pass(200);
  sockets[1]!.lose(1006);
  assert.equal(clock.next(), 375);
  await clock.pass(375);
  sockets[2]!.accept();
  sockets[2]!.lose(1012);
  assert.equal(clock.next(), 187.5);
});

test("after 30 s of an unreachable API the call is given up, in plain words", async () => {
  let asked = 0;
  const { clock, socket, told, line } = connected(async () => {
    asked += 1;
    throw new NexusError({ kind: "server_away" });
  });
  socket.lose(1006);
  await clock.pass(29_000);
  assert.equal(line.connection, "reconnecting");
  await clock.pass(5_000);
  assert.deepEqual(told.slice(1), ["reconnecting", "ended", "problem server_away", "ended error"]);
  assert.ok(asked > 8 && asked < 20, `${asked} tries`);
  assert.equal(clock.next(), undefined, "nothing goes on behind it");
});

test("a full server is tried again and named at last", async () => {
  const { line, clock, sockets, told } = world();
  line.open();
  for (let step = 0; step < 400 && line.connection !== "ended"; step += 1) {
    sockets.at(-1)!.lose(4429);
    await clock.pass(100);
  }
  assert.deepEqual(told, ["ended", "problem server_full", "ended error"]);
  assert.ok(sockets.length > 5);
});

test("a server that never says ready is given up and tried again", async () => {
  const { line, clock, sockets } = world();
  line.open();
  await clock.pass(10_000);
  assert.equal(sockets[0]!.closed, true);
  await clock.pass(250);
  assert.equal(sockets.length, 2);
});

test("an API that never answers is asked again, and the call is given up in time", async () => {
  let asked = 0;
  let answerLate: (opening: Opening) => void = () => {};
  const { clock, socket, sockets, told } = connected(() => {
    asked += 1;
    return new Promise((resolve) => (answerLate = resolve));
  });
  socket.lose(1006);
  await clock.pass(35_000);
  assert.deepEqual(told.slice(1), ["reconnecting", "ended", "problem server_away", "ended error"]);
  assert.ok(asked > 1, `${asked} tries`);
  assert.equal(clock.next(), undefined, "nothing goes on behind it");
  answerLate(opening("2"));
  await settle();
  assert.equal(sockets.length, 1, "an answer that comes too late opens nothing");
});

test("a call that ended meanwhile is over, without a problem", async () => {
  const { clock, socket, told } = connected(async () => undefined);
  socket.lose(1006);
  await clock.pass(250);
  assert.deepEqual(told, ["open", "reconnecting", "ended", "ended closed"]);
});

test("a call that goes on elsewhere, or a client that is not understood, is not tried again", async () => {
  for (const [code, kind] of [[4409, "taken_over"], [4400, "protocol"]] as const) {
    const { clock, socket, sockets, told } = connected();
    socket.lose(code);
    await clock.pass(60_000);
    assert.deepEqual(told, ["open", "ended", `problem ${kind}`, "ended error"]);
    assert.equal(sockets.length, 1);
  }
});

test("a login that has ended ends the call", async () => {
  const { clock, socket, told } = connected(async () => {
    throw new NexusError({ kind: "signed_out" });
  });
  socket.lose(1006);
  await clock.pass(250);
  assert.deepEqual(told.slice(1), ["reconnecting", "ended", "problem signed_out", "ended error"]);
});

test("the server's reason ends the call; its close is not needed", async () => {
  const { socket, told, clock } = connected();
  socket.say({ type: "ended", reason: "agent_hangup" });
  socket.lose(1000);
  await clock.pass(60_000);
  assert.deepEqual(told, ["open", "ended", "ended agent_hangup"]);
  assert.equal(socket.closed, true);
});

test("hanging up waits for the server's word, but not for ever", async () => {
  const { line, socket, told, clock } = connected();
  assert.equal(line.end(), true);
  assert.deepEqual(socket.sent.at(-1), { type: "end" });
  assert.deepEqual(told, ["open"]);
  await clock.pass(5_000);
  assert.deepEqual(told, ["open", "ended", "ended caller_hangup"]);
});

test("hanging up while the connection is lost stops the search and says that nobody was told", async () => {
  const { line, socket, sockets, told, clock } = connected();
  socket.lose(1006);
  assert.equal(line.end(), false);
  await clock.pass(60_000);
  assert.equal(sockets.length, 1);
  assert.deepEqual(told, ["open", "reconnecting", "ended", "ended closed"]);
});

test("hanging up while a ticket is on its way opens nothing more", async () => {
  let answer: (opening: Opening) => void = () => {};
  const { line, socket, sockets, clock } = connected(() => new Promise((resolve) => (answer = resolve)));
  socket.lose(1006);
  await clock.pass(250);
  line.end();
  answer(opening("2"));
  await settle();
  assert.equal(sockets.length, 1);
});

test("the server's complaint is passed on and ends nothing by itself", () => {
  const { socket, told } = connected();
  socket.say({ type: "error", code: "stt_lost", detail: "the recogniser was lost" });
  socket.say({ type: "from a later version" });
  assert.deepEqual(told, ["open", "problem server"]);
});
