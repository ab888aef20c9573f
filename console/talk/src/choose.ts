// Choosing the agent and how to speak to it.
import type { Agent, Api } from "../../client/src/index.ts";
import { byId, make, within } from "./dom.ts";
import type { Page } from "./page.ts";

/** What was chosen. */
export interface Choice {
  agent: Agent;
  /** Take echo and noise out of the microphone. */
  clean: boolean;
}

const FIRST_AGENT = {
  name: "First agent",
  language: "en",
  first_message: "Hello, this is your first agent. How can I help?",
  prompt: "You are a friendly agent on a voice call. Answer in one or two short sentences.",
};

/** Shows the organisation's agents; calls `then` with each choice. */
export async function offerAgents(api: Api, page: Page, then: (choice: Choice) => Promise<void>): Promise<void> {
  const form = byId<HTMLFormElement>("choose-form");
  const select = byId<HTMLSelectElement>("agent");
  const nobody = byId("no-agent");
  const agents = await api.agents();
  select.replaceChildren(
    ...agents.map(({ id, name, language }) => {
      const option = make("option", `${name} (${language})`);
      option.value = id;
      return option;
    }),
  );
  form.hidden = agents.length === 0;
  nobody.hidden = agents.length > 0;
  page.show("choose");
  form.onsubmit = (event) => {
    event.preventDefault();
    const agent = agents.find(({ id }) => id === select.value);
    const clean = byId<HTMLInputElement>("clean").checked;
    if (agent) void page.busy(form, () => then({ agent, clean }));
  };
  within<HTMLButtonElement>(nobody, "button").onclick = () => {
    void page.busy(nobody, async () => {
      await api.createAgent(FIRST_AGENT);
      await offerAgents(api, page, then);
    });
  };
  (agents.length > 0 ? select : within<HTMLButtonElement>(nobody, "button")).focus();
}
