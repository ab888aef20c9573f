import { explain, type Problem, problemOf } from "../../client/src/index.ts";
import { byId } from "./dom.ts";

const SCREENS = ["login", "choose", "call"] as const;

/** The page as a whole: which screen is shown, what is wrong, and what waits. */
export class Page {
  readonly #problem = byId("problem");
  /** The login has ended: begin again. */
  onSignedOut: () => void = () => {};
  /** The person leaves what the page shows: end it. */
  onLeave: () => void = () => {};

  /** Shows one screen. */
  show(screen: (typeof SCREENS)[number]): void {
    for (const name of SCREENS) byId(name).hidden = name !== screen;
  }

  /** Says what is wrong, in plain words. */
  tell(problem: Problem): void {
    this.#problem.textContent = explain(problem);
    this.#problem.hidden = false;
    this.#problem.scrollIntoView({ block: "nearest" });
    if (problem.kind === "signed_out") this.onSignedOut();
  }

  /** Nothing is wrong any more. */
  clear(): void {
    this.#problem.hidden = true;
    this.#problem.textContent = "";
  }

  /** Does something that takes a while: the part's buttons wait for it, and its problem is told. */
  async busy(part: HTMLElement, work: () => Promise<void>): Promise<void> {
    const buttons = [...part.querySelectorAll("button")];
    this.clear();
    part.setAttribute("aria-busy", "true");
    for (const button of buttons) button.disabled = true;
    try {
      await work();
    } catch (error) {
      this.tell(problemOf(error));
    } finally {
      part.removeAttribute("aria-busy");
      for (const button of buttons) button.disabled = false;
    }
  }
}
