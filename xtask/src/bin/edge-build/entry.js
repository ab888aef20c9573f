// The Worker's entry: hands each event to the Rust module and starts that module afresh after a panic.
import * as edge from "./edge.js";

const state = edge.__worker_init_state();

// A panic leaves the module's memory in an unknown state; the next event gets a new instance.
function revive() {
  if (!state.criticalError) return;
  console.error(JSON.stringify({ level: "error", event: "module_restarted" }));
  edge.__wbg_reset_state();
  state.criticalError = false;
  state.instanceId += 1;
}

function note(error) {
  if (error instanceof WebAssembly.RuntimeError) state.criticalError = true;
}

addEventListener("error", (event) => note(event.error));

async function run(handler, event, env, ctx) {
  revive();
  try {
    return await handler(event, env, ctx);
  } catch (error) {
    note(error);
    throw error;
  }
}

export default {
  fetch: (request, env, ctx) => run(edge.fetch, request, env, ctx),
  scheduled: (event, env, ctx) => run(edge.scheduled, event, env, ctx),
};
