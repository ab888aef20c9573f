import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Device } from "../src/audio/device.ts";
import { type Problem, problemOf } from "../src/problem.ts";

/** What a test makes of the browser, and what it sees of it. */
class Browser {
  /** Answers the loading of a module. */
  module: (url: string) => Promise<void> = async () => {};
  /** Whether there is anything to play on. */
  hasAudio = true;
  readonly modules: string[] = [];
  readonly released: string[] = [];

  /** Stands in for the real one until the test is over. */
  constructor(context: TestContext) {
    const browser = this;
    class AudioContext {
      state = "running";
      destination = {};
      audioWorklet = {
        addModule: (url: string) => {
          browser.modules.push(url);
          return browser.module(url);
        },
      };
      constructor() {
        if (!browser.hasAudio) throw new DOMException("no hardware", "NotSupportedError");
      }
      async resume() {}
      async close() {
        browser.released.push("loudspeaker");
      }
      createMediaStreamSource() {
        return { connect: () => {} };
      }
    }
    class AudioWorkletNode {
      port = {};
      connect() {}
    }
    const track = { stop: () => browser.released.push("microphone") };
    const stream = { getTracks: () => [track], getAudioTracks: () => [track] };
    const mediaDevices = { getUserMedia: async () => stream };
    for (const [name, value] of Object.entries({ AudioContext, AudioWorkletNode, navigator: { mediaDevices } })) {
      const before = Object.getOwnPropertyDescriptor(globalThis, name);
      Object.defineProperty(globalThis, name, { value, configurable: true });
      context.after(() => {
        if (before) Object.defineProperty(globalThis, name, before);
        else Reflect.deleteProperty(globalThis, name);
      });
    }
  }
}

const open = () =>
  Device.open(16000, { capture: "/capture.js", playback: "/playback.js" }, {}, {
    frame: () => {},
    marked: () => {},
    callerLevel: () => {},
    agentLevel: () => {},
    microphoneLost: () => {},
  });

async function problem(): Promise<Problem> {
  return open().then(
    () => assert.fail("the device was opened"),
    (error: unknown) => problemOf(error),
  );
}

test("a worklet that cannot be fetched means that the server is away; nothing is held on to", async (context) => {
  const browser = new Browser(context);
  browser.module = async () => {
    throw new DOMException("Unable to load a worklet's module.", "AbortError");
  };
  assert.deepEqual(await problem(), { kind: "server_away" });
  assert.deepEqual(browser.released.sort(), ["loudspeaker", "microphone"]);
});

test("a browser that cannot play says so", async (context) => {
  const browser = new Browser(context);
  browser.hasAudio = false;
  assert.deepEqual(await problem(), { kind: "unsupported" });
});

test("both worklets are fetched at once", { timeout: 10_000 }, async (context) => {
  const browser = new Browser(context);
  let loaded = () => {};
  const both = new Promise<void>((resolve) => (loaded = resolve));
  browser.module = () => {
    if (browser.modules.length === 2) loaded();
    return both;
  };
  (await open()).close();
  assert.deepEqual(browser.modules, ["/capture.js", "/playback.js"]);
});
