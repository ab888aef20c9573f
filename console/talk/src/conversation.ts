// One call on the page, from its first sound until the person leaves its recording.
import { type AgentState, type Api, Call, recordingOf } from "../../client/src/index.ts";
import { CaptionList } from "./caption_list.ts";
import type { Choice } from "./choose.ts";
import { byId, make } from "./dom.ts";
import { LatencyChart } from "./latency_chart.ts";
import { Meter } from "./meter.ts";
import type { Page } from "./page.ts";
import { whatHappens, whyEnded } from "./words.ts";

declare const CAPTURE_URL: string;
declare const PLAYBACK_URL: string;

/** A call that the page shows. */
interface Shown {
  page: Page;
  call: Call;
  /** Listens to the call until the person leaves; what it tells then is not for the page. */
  on: Call["on"];
  /** Aborted when the person leaves: whatever was shown of the call goes away. */
  left: AbortSignal;
}

/** Calls the chosen agent and shows the call; `again` goes back to the choice. */
export async function talk(api: Api, page: Page, { agent, clean }: Choice, again: () => Promise<void>): Promise<void> {
  const leaving = new AbortController();
  const left = leaving.signal;
  page.onLeave = () => leaving.abort();
  const worklets = { capture: CAPTURE_URL, playback: PLAYBACK_URL };
  const call = await Call.open({ api, agentId: agent.id, worklets, microphone: { clean } });
  const hangUp = () => call.hangUp();
  if (left.aborted) return hangUp();
  left.addEventListener("abort", hangUp);
  addEventListener("pagehide", hangUp, { signal: left });
  const on: Call["on"] = (name, listener) => call.on(name, (event) => left.aborted || listener(event));
  const shown = { page, call, on, left };
  const title = byId("call-title");
  title.textContent = `Call with ${agent.name}`;
  byId("controls").hidden = false;
  byId("meters").hidden = false;
  byId("after").hidden = true;
  page.show("call");
  title.focus();
  follow(shown, agent.name);
  steer(shown);
  on("ended", ({ reason }) => {
    byId("controls").hidden = true;
    byId("meters").hidden = true;
    byId("status").textContent = whyEnded(reason);
    void listenBack(api, shown, again);
  });
  call.start();
}

/** Shows what happens in the call. */
function follow({ page, call, on, left }: Shown, agentName: string): void {
  const captions = new CaptionList(agentName);
  const chart = new LatencyChart();
  const status = byId("status");
  let agent: AgentState | undefined;
  const show = () => {
    const words = whatHappens(call.connection, agent, call.muted);
    if (status.textContent !== words) status.textContent = words;
  };
  on("message", (message) => {
    captions.take(message);
    chart.take(message);
    if (message.type === "state") agent = message.state;
    if (message.type === "state" || message.type === "ready") show();
  });
  on("connection", (connection) => {
    if (connection === "open") page.clear();
    show();
  });
  on("muted", show);
  on("problem", (problem) => page.tell(problem));
  on("ended", () => captions.end());
  const meters = { caller: new Meter("caller-level"), agent: new Meter("agent-level") };
  on("callerLevel", (level) => meters.caller.set(level));
  on("agentLevel", (level) => meters.agent.set(level));
  left.addEventListener("abort", () => captions.clear());
  show();
}

/** Lets the person steer the call. */
function steer({ page, call, left }: Shown): void {
  const mute = byId<HTMLButtonElement>("mute");
  mute.setAttribute("aria-pressed", "false");
  mute.onclick = () => {
    call.mute(!call.muted);
    mute.setAttribute("aria-pressed", String(call.muted));
  };
  byId<HTMLButtonElement>("hang-up").onclick = () => call.hangUp();
  const typed = byId<HTMLInputElement>("typed");
  left.addEventListener("abort", () => (typed.value = ""));
  /** Whether it was sent; if not, the person is told. */
  const told = (sent: boolean): boolean => {
    if (!sent) page.tell({ kind: "server_away" });
    return sent;
  };
  byId<HTMLFormElement>("type-form").onsubmit = (event) => {
    event.preventDefault();
    if (typed.value.trim() !== "" && told(call.sendText(typed.value))) typed.value = "";
  };
  byId("keypad").replaceChildren(
    ...[..."123456789*0#"].map((key) => {
      const button = make("button", key);
      button.type = "button";
      button.onclick = () => void told(call.sendDigits(key));
      return button;
    }),
  );
}

/** Fetches the recording, which needs the login, and lets the browser play it. */
async function listenBack(api: Api, { page, call, left }: Shown, again: () => Promise<void>): Promise<void> {
  const state = byId("recording-state");
  const player = byId<HTMLAudioElement>("recording");
  const download = byId<HTMLAnchorElement>("download");
  player.hidden = true;
  download.hidden = true;
  state.textContent = "The recording is being completed …";
  byId("after").hidden = false;
  const button = byId<HTMLButtonElement>("again");
  button.focus();
  button.onclick = () => {
    page.onLeave();
    void page.busy(byId("after"), again);
  };
  try {
    const recording = await recordingOf(api, call.id);
    if (left.aborted) return;
    if (!recording) {
      state.textContent = "This call was not recorded.";
      return;
    }
    const address = URL.createObjectURL(recording.audio);
    player.src = address;
    download.href = address;
    download.download = `${call.id}.wav`;
    player.hidden = false;
    download.hidden = false;
    left.addEventListener("abort", () => {
      player.pause();
      player.removeAttribute("src");
      player.load();
      download.removeAttribute("href");
      URL.revokeObjectURL(address);
    });
    state.textContent = recording.complete
      ? "You are on the left, the agent is on the right."
      : "You are on the left, the agent is on the right. Parts of it may still be on their way.";
  } catch {
    if (!left.aborted) state.textContent = "The recording could not be fetched.";
  }
}
