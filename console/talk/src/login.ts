// Logging in, also with the account that a system on one's own machine offers.
import { type Api, NexusError, type Who } from "../../client/src/index.ts";
import { byId, within } from "./dom.ts";
import type { Page } from "./page.ts";

interface Demo {
  email: string;
  password: string;
}

/** Shows the login until somebody is logged in, then calls `then`. */
export function offerLogin(api: Api, page: Page, then: (who: Who) => Promise<void>): void {
  const form = byId<HTMLFormElement>("login-form");
  const demo = byId("demo");
  form.onsubmit = (event) => {
    event.preventDefault();
    const field = (name: string) => within<HTMLInputElement>(form, `[name=${name}]`);
    void page.busy(form, async () => {
      const who = await api.logIn(field("email").value, field("password").value);
      field("password").value = "";
      await then(who);
    });
  };
  page.show("login");
  void demoAccount().then((account) => {
    demo.hidden = account === undefined;
    if (!account) return;
    within<HTMLButtonElement>(demo, "button").onclick = () => {
      void page.busy(demo, async () => then(await logInDemo(api, account)));
    };
  });
}

/** Only a system on this machine has one; elsewhere there is nothing at this address. */
async function demoAccount(): Promise<Demo | undefined> {
  try {
    const response = await fetch("/talk/demo.json", { credentials: "omit", cache: "no-store" });
    return response.ok ? ((await response.json()) as Demo) : undefined;
  } catch {
    return undefined;
  }
}

/** The demo account is made when it is first used. */
async function logInDemo(api: Api, { email, password }: Demo): Promise<Who> {
  try {
    return await api.logIn(email, password);
  } catch (error) {
    const missing = error instanceof NexusError && error.problem.kind === "wrong_password";
    if (!missing) throw error;
    await api.register({ email, password, org_name: "Demo", cell: "us" });
    return api.logIn(email, password);
  }
}
