// One call on the page, from its first sound to its recording.
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

/** Calls the chosen agent and shows the call; `again` goes back to the choice. */
export async function talk(api: Api, page: Page, { agent, clean }: Choice, again: () => Promise<void>): Promise<void> {
  const worklets = { capture: CAPTURE_URL, playback: PLAYBACK_URL };
  const call = await Call.open({ api, agentId: agent.id, worklets, microphone: { clean } });
  const title = byId("call-title");
  title.textContent = `Call with ${agent.name}`;
  byId("controls").hidden = false;
  byId("meters").hidden = false;
  byId("after").hidden = true;
  page.show("call");
  title.focus();
  follow(call, page, agent.name);
  steer(call, page);
  const hangUp = () => call.hangUp();
  addEventListener("pagehide", hangUp);
  page.onLeave = hangUp;
  call.on("ended", ({ reason }) => {
    removeEventListener("pagehide", hangUp);
    page.onLeave = () => {};
    byId("controls").hidden = true;
    byId("meters").hidden = true;
    byId("status").textContent = whyEnded(reason);
    void listenBack(api, call.id, page, again);
  });
  call.start();
}

/** Shows what happens in the call. */
function follow(call: Call, page: Page, agentName: string): void {
  const captions = new CaptionList(agentName);
  const chart = new LatencyChart();
  const status = byId("status");
  let agent: AgentState | undefined;
  const show = () => {
    const words = whatHappens(call.connection, agent, call.muted);
    if (status.textContent !== words) status.textContent = words;
  };
  call.on("message", (message) => {
    captions.take(message);
    chart.take(message);
    if (message.type === "state") agent = message.state;
    if (message.type === "state" || message.type === "ready") show();
  });
  call.on("connection", (connection) => {
    if (connection === "open") page.clear();
    show();
  });
  call.on("muted", show);
  call.on("problem", (problem) => page.tell(problem));
  call.on("ended", () => captions.end());
  const meters = { caller: new Meter("caller-level"), agent: new Meter("agent-level") };
  call.on("callerLevel", (level) => meters.caller.set(level));
  call.on("agentLevel", (level) => meters.agent.set(level));
  show();
}

/** Lets the person steer the call. */
function steer(call: Call, page: Page): void {
  const mute = byId<HTMLButtonElement>("mute");
  mute.setAttribute("aria-pressed", "false");
  mute.onclick = () => {
    call.mute(!call.muted);
    mute.setAttribute("aria-pressed", String(call.muted));
  };
  byId<HTMLButtonElement>("hang-up").onclick = () => call.hangUp();
  const typed = byId<HTMLInputElement>("typed");
  typed.value = "";
  byId<HTMLFormElement>("type-form").onsubmit = (event) => {
    event.preventDefault();
    if (typed.value.trim() === "") return;
    if (call.sendText(typed.value)) typed.value = "";
    else page.tell({ kind: "server_away" });
  };
  byId("keypad").replaceChildren(
    ...[..."123456789*0#"].map((key) => {
      const button = make("button", key);
      button.type = "button";
      button.onclick = () => void call.sendDigits(key);
      return button;
    }),
  );
}

/** Fetches the recording, which needs the login, and lets the browser play it. */
async function listenBack(api: Api, id: string, page: Page, again: () => Promise<void>): Promise<void> {
  const state = byId("recording-state");
  const player = byId<HTMLAudioElement>("recording");
  const download = byId<HTMLAnchorElement>("download");
  let address: string | undefined;
  player.hidden = true;
  download.hidden = true;
  state.textContent = "The recording is being completed …";
  byId("after").hidden = false;
  const button = byId<HTMLButtonElement>("again");
  button.focus();
  let gone = false;
  button.onclick = () => {
    gone = true;
    player.pause();
    player.removeAttribute("src");
    if (address !== undefined) URL.revokeObjectURL(address);
    void page.busy(byId("after"), again);
  };
  try {
    const recording = await recordingOf(api, id);
    if (gone) return;
    if (!recording) {
      state.textContent = "This call was not recorded.";
      return;
    }
    address = URL.createObjectURL(recording.audio);
    player.src = address;
    download.href = address;
    download.download = `${id}.wav`;
    player.hidden = false;
    download.hidden = false;
    state.textContent = recording.complete
      ? "You are on the left, the agent is on the right."
      : "You are on the left, the agent is on the right. Parts of it may still be on their way.";
  } catch {
    if (!gone) state.textContent = "The recording could not be fetched.";
  }
}
