// Talk to an agent of GlobalVoice Nexus from a browser.
//
//   const api = new Api();
//   await api.logIn("me@example.com", "…");
//   const call = await Call.open({ api, agentId: (await api.agents())[0].id });
//   call.on("message", (message) => …);
//   await call.hangUp();
export * from "./addresses.ts";
export * from "./api.ts";
export * from "./call.ts";
export * from "./clock.ts";
export * from "./emitter.ts";
export * from "./line.ts";
export * from "./problem.ts";
export * from "./protocol.ts";
export { captureLevel } from "./audio/level.ts";
