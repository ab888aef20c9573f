// Talk to an agent of GlobalVoice Nexus from a browser.
//
//   const api = new Api();
//   await api.logIn("me@example.com", "…");
//   const [agent] = await api.agents();
//   const worklets = { capture: "/capture.js", playback: "/playback.js" }; // see WorkletUrls
//   const call = await Call.open({ api, agentId: agent.id, worklets }); // from a click: it asks for the microphone
//   call.on("message", (message) => …);
//   call.start();
//   call.hangUp();
export * from "./addresses.ts";
export * from "./api.ts";
export * from "./call.ts";
export * from "./clock.ts";
export * from "./emitter.ts";
export * from "./line.ts";
export * from "./problem.ts";
export * from "./protocol.ts";
export { meterLevel } from "./audio/level.ts";
