// The talk page: log in, choose an agent, speak.
import { Api } from "../../client/src/index.ts";
import { type Choice, offerAgents } from "./choose.ts";
import { talk } from "./conversation.ts";
import { byId, within } from "./dom.ts";
import { offerLogin } from "./login.ts";
import { Page } from "./page.ts";

const api = new Api();
const page = new Page();
const who = byId("who");

const choose = (): Promise<void> => offerAgents(api, page, (choice: Choice) => talk(api, page, choice, choose));

function begin(): void {
  who.hidden = true;
  offerLogin(api, page, async ({ user }) => {
    within(who, "span").textContent = user.email;
    who.hidden = false;
    await choose();
  });
}

function leave(): void {
  page.onLeave();
  begin();
}

page.onSignedOut = leave;
byId<HTMLButtonElement>("log-out").onclick = () => {
  page.clear();
  leave();
  // Nothing here may use it any more, whatever becomes of the request.
  void api.logOut().catch(() => {});
};
begin();
